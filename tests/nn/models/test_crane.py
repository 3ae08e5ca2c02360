import copy

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn import Residual
from crane_pyg.nn.models import CRANE, crane_choices
from crane_pyg.nn.models.crane_settings import PAPER, PRESETS
from crane_pyg.nn.objectives import L2, BPRLoss, InfoNCE, Objective
from crane_pyg.training import load_model, save_model

SEMANTIC = {"semantic_profile": "sqrt"}  # without which there is nothing to contrast


def build(data, **kwargs):
    torch.manual_seed(0)
    return CRANE.from_data(data, **{"embedding_dim": 6, "k": 3} | kwargs)


def batch(data):
    edge_index = data["user", "interacts", "item"].edge_index[:, 3:11]
    return edge_index[0], edge_index[1], (edge_index[1] + 1) % data["item"].num_nodes


def dense(model, data, *, rounds, readout, profile, normalize, center, weight, act):
    """Eq. 1-17 written out with dense matrices; the data's features are all present."""
    num_users, num_items = data["user"].num_nodes, data["item"].num_nodes
    user, item = data["user", "interacts", "item"].edge_index
    a = torch.zeros(num_users, num_items, dtype=torch.double)  # eq. 1
    a[user, item] = 1
    deg_user, deg_item = a.sum(1), a.sum(0)
    lap = a / (deg_user.view(-1, 1) * deg_item).sqrt().clamp(min=1e-30)
    state = model.state_dict()

    own = state["item_embedding.weight"]
    if model.content_term is not None:
        own = own + _content(data, state)
    e_user, e_item = [state["user_embedding.weight"]], [own]
    for layer in range(2):  # eq. 3-4
        w = torch.eye(6, dtype=torch.double)
        if weight:
            w = state[f"encoder.convs.{layer}.lin.weight"].T
        sigma = F.relu if act else (lambda x: x)
        new_user, new_item = sigma(lap @ e_item[-1] @ w), sigma(lap.T @ e_user[-1] @ w)
        e_user.append(new_user)
        e_item.append(new_item)
    if readout == "last":
        e_user, e_item = e_user[-1], e_item[-1]
    else:
        e_user, e_item = torch.stack(e_user).mean(0), torch.stack(e_item).mean(0)

    names = ("textual", "visual")
    xs = {}
    for m in names:  # eq. 5-6
        x = F.normalize(data["item"][f"x_{m}"], dim=1)
        if center:
            x = F.normalize(x - x.mean(0), dim=1)
        x = x @ state[f"item_graph.graph.fusion.lin.{m}.weight"].T
        xs[m] = torch.cat([a @ x, x])
    for _ in range(rounds):  # eq. 7-12
        if normalize:
            xs = {m: F.normalize(x, dim=1) for m, x in xs.items()}
        joint = torch.cat([xs[m] for m in names], 1)
        joint = joint @ state["item_graph.graph.fusion.rca.lin_joint.weight"].T
        joint = joint + state["item_graph.graph.fusion.rca.lin_joint.bias"]
        new = {}
        for m in names:
            anchor = joint @ state[f"item_graph.graph.fusion.rca.lin_anchor.{m}.weight"].T
            c = torch.tanh(xs[m] @ anchor.T)
            gathered = c @ xs[m] / (len(c) if normalize else 1)
            f = F.relu(gathered @ state[f"item_graph.graph.fusion.rca.lin_attn.{m}.weight"].T)
            new[m] = f + xs[m] @ state[f"item_graph.graph.fusion.rca.lin_self.{m}.weight"].T
        xs = new
    scale = state["item_graph.graph.fusion.modality_share"]
    x_att = torch.cat([c * xs[m] for c, m in zip(scale, names)], 1)[num_users:]  # eq. 13
    x_att = F.normalize(x_att, dim=1)
    cosine = x_att @ x_att.T  # eq. 14
    kept = cosine.topk(3).indices
    s = torch.zeros_like(cosine).scatter(1, kept, cosine.gather(1, kept))
    s = s / s.abs().sum(1, keepdim=True)
    h_item = s @ e_item  # eq. 15
    h_user = a @ h_item  # eq. 16
    if profile == "sqrt":
        h_user = h_user / deg_user.clamp(min=1).sqrt().view(-1, 1)
    if profile is None:
        h_user = torch.zeros_like(e_user)
    return e_user + h_user, e_item + h_item  # eq. 17


def _content(data, state):
    """Centred features on the singular vectors, through the learned map."""
    found = []
    for m in ("textual", "visual"):
        x = F.normalize(data["item"][f"x_{m}"], dim=1)
        x = F.normalize(x - x.mean(0), dim=1)
        found.append(x @ state[f"content_term.basis.{m}.vectors"])
    return torch.cat(found, 1) @ state["content_term.weight"]


@pytest.mark.parametrize(
    ("options", "oracle"),
    [
        ({"content_term": True}, {"readout": "mean", "profile": None, "normalize": True}),
        (
            {"content_term": False, "num_rounds": 3},
            {"rounds": 3, "readout": "mean", "profile": None, "normalize": True},
        ),
        (SEMANTIC | {"beta": 0.1}, {"readout": "mean", "profile": "sqrt", "normalize": True}),
        (
            PAPER | {"k": 3, "drop_edge": None, "num_rounds": 2},
            {
                "rounds": 2,
                "readout": "last",
                "profile": "sum",
                "normalize": False,
                "center": False,
                "weight": True,
                "act": True,
            },
        ),
    ],
)
def test_scores_equal_the_dense_equations(checkerboard, options, oracle):
    data = _double(checkerboard)
    model = build(data, **options).double().eval()
    if model.content_term is not None:
        model.content_term.weight.data.normal_()
    expected = dense(
        model,
        data,
        **{"rounds": 1, "center": True, "weight": False, "act": False} | oracle,
    )
    for found, wanted in zip(model(data), expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-7)  # float32 graph weights


@pytest.mark.parametrize("chosen", ["multinomial", None])
def test_whether_edges_are_dropped_is_left_to_the_data_and_saved(
    checkerboard, tmp_path, monkeypatch, chosen
):
    monkeypatch.setattr(crane_choices, "choose_thinning", lambda data: chosen)
    model = build(checkerboard)
    assert (model.encoder.thinning and model.encoder.thinning.mode) == chosen
    save_model(model, "crane", {"embedding_dim": 6, "k": 3}, tmp_path / "model.safetensors")
    monkeypatch.delattr(crane_choices, "choose_thinning")
    loaded = load_model(tmp_path / "model.safetensors", checkerboard)
    assert repr(loaded.encoder) == repr(model.encoder)


def _double(data):
    data = copy.copy(data)
    for m in ("visual", "textual"):
        data["item"][f"x_{m}"] = data["item"][f"x_{m}"].double()
    return data


def test_loss_by_hand(checkerboard):
    model = build(checkerboard, **SEMANTIC, ranking="bpr", beta=0.3, temperature=0.5, l2=0.1).eval()
    user, pos, neg = batch(checkerboard)
    terms = model.loss(checkerboard, user, pos, neg)
    z_user, z_item = model(checkerboard)
    margin = (z_user[user] * z_item[pos]).sum(1) - (z_user[user] * z_item[neg]).sum(1)
    torch.testing.assert_close(terms["bpr"], -margin.sigmoid().log().mean())

    e_user, h_user, e_item, h_item = model.views(checkerboard)
    contrast = 0
    for nodes, e, h in ((user, e_user, h_user), (pos, e_item, h_item)):
        rows = sorted(set(nodes.tolist()))
        loss = 0
        for u in rows:  # eq. 19
            similarity = [torch.cosine_similarity(e[u], h[v], dim=0) / 0.5 for v in rows]
            loss = loss - similarity[rows.index(u)] + torch.stack(similarity).logsumexp(0)
        contrast = contrast + loss / len(rows)
    torch.testing.assert_close(terms["contrastive"], 0.3 * contrast)


def test_the_losses_as_printed_are_sums(checkerboard):
    options = PAPER | {"k": 3, "drop_edge": None, "beta": 0.3, "l2": 0.1}
    model = build(checkerboard, **options).eval()
    triplets = batch(checkerboard)
    summed = model.loss(checkerboard, *triplets)
    model.objective = Objective(BPRLoss("mean"), InfoNCE(0.3), L2(0.1))
    mean = model.loss(checkerboard, *triplets)
    torch.testing.assert_close(summed["bpr"], 8 * mean["bpr"])
    all_norms = sum(p.square().sum() for p in model.parameters())
    torch.testing.assert_close(summed["l2"], 0.1 * all_norms)


def test_attention_learns_in_the_batch_that_rebuilt_the_graph(checkerboard):
    model = build(checkerboard)
    triplets = batch(checkerboard)
    learned = []
    for _ in range(2):
        model.start_epoch(checkerboard)
        for _ in range(2):
            model.zero_grad()
            model.loss(checkerboard, *triplets)["softmax"].backward()
            attention = model.item_graph.graph.fusion.rca
            learned.append(attention.lin_self["visual"].weight.grad is not None)
    assert learned == [True, False, True, False]


@pytest.mark.parametrize(
    ("refresh", "expected"), [("epoch", [1, 2, 3, 4]), (2, [1, 1, 2, 2]), ("step", [3, 6, 9, 12])]
)
def test_refresh(checkerboard, refresh, expected):
    model = build(checkerboard, refresh=refresh)
    builds = []
    model.item_graph.graph.register_forward_hook(lambda *_: builds.append(1))
    counts = []
    for _ in range(4):
        model.start_epoch(checkerboard)
        for _ in range(3):
            model.loss(checkerboard, *batch(checkerboard))
        model.eval()(checkerboard)
        model.train()
        counts.append(len(builds))
    assert counts == expected


def test_raw_features_are_linked_once(checkerboard):
    model = build(checkerboard, fusion="concat")
    builds = []
    model.item_graph.graph.register_forward_hook(lambda *_: builds.append(1))
    for _ in range(3):
        model.start_epoch(checkerboard)
        model.loss(checkerboard, *batch(checkerboard))
    assert len(builds) == 1


def test_a_graph_that_learns_is_linked_anew(checkerboard):
    model = build(checkerboard, fusion="projected")
    for _ in range(2):
        model.start_epoch(checkerboard)
        model.zero_grad()
        model.loss(checkerboard, *batch(checkerboard))["softmax"].backward()
        assert model.item_graph.graph.fusion.lin["visual"].weight.grad.abs().sum() > 0


def test_one_modality_is_that_modality(checkerboard):
    model = build(checkerboard, only_modalities=["visual"], fusion="concat")
    del checkerboard["item"].x_textual, checkerboard["item"].textual_mask
    alone = build(checkerboard, fusion="concat")
    assert list(model.item_graph.graph.fusion.modalities) == ["visual"]
    for found, wanted in zip(model(checkerboard), alone(checkerboard), strict=True):
        assert torch.equal(found, wanted)


def test_branches_apart_add_up_their_scores(checkerboard):
    """Each is what it would be by itself: LightGCN, and the item graph on a table of its own."""
    model = build(checkerboard, dual_fusion=False, **SEMANTIC, ranking="bpr", l2=0.1).eval()
    views = model.views(checkerboard)
    z_user, z_item = model(checkerboard)
    score = views.e_user @ views.e_item.T + views.h_user @ views.h_item.T
    torch.testing.assert_close(model.scores(z_user, z_item), score)
    alone = build(checkerboard, fusion=None).eval()
    alone.load_state_dict(model.state_dict(), strict=False)
    assert torch.equal(views.e_user, alone.views(checkerboard).e_user)

    user, pos, neg = batch(checkerboard)
    terms = model.loss(checkerboard, user, pos, neg)
    bpr = 0
    for x_user, x_item in ((views.e_user, views.e_item), (views.h_user, views.h_item)):
        margin = (x_user[user] * (x_item[pos] - x_item[neg])).sum(1)
        bpr = bpr - margin.sigmoid().log().mean()
    torch.testing.assert_close(terms["bpr"], bpr)
    tables = (model.item_embedding, model.semantic_embedding)
    rows = [model.user_embedding(user), *(table(x) for table in tables for x in (pos, neg))]
    norms = sum(x.square().sum() for x in rows) / (2 * len(user))
    torch.testing.assert_close(terms["l2"], 0.1 * norms)


def test_branches_apart_average_their_cosines(checkerboard):
    model = build(checkerboard, dual_fusion=False, **SEMANTIC, ranking_similarity="cosine").eval()
    views = model.views(checkerboard)
    cosines = [
        F.normalize(user, dim=1) @ F.normalize(item, dim=1).T
        for user, item in ((views.e_user, views.e_item), (views.h_user, views.h_item))
    ]
    score = model.scores(*model(checkerboard))
    torch.testing.assert_close(score, (cosines[0] + cosines[1]) / 2)


def test_the_residual_is_added_once_training_is_over(checkerboard):
    model = build(checkerboard).eval()
    user = torch.arange(24)
    own = model.scores(*model(checkerboard))
    torch.testing.assert_close(model.scorer(checkerboard)(user), own)
    tried = (0.0, *Residual.SHARES)

    def quality(scorers):
        shares = tried if len(scorers) == len(tried) else [0.2] * len(scorers)
        return [-abs(share - 0.2) for share in shares]

    model.calibrate(checkerboard, quality)
    assert model.residual.share == torch.tensor(0.2)
    expected = model.residual(checkerboard, lambda user: own[user])(user)
    assert not torch.equal(expected, own)
    torch.testing.assert_close(model.scorer(checkerboard)(user), expected)
    bare = build(checkerboard, fit_users=False, residual=None)
    assert bare.calibrate(checkerboard, quality) is None


@pytest.mark.parametrize("chosen", ["cosine", "inner"])
def test_what_it_compares_by_is_left_to_the_data_and_saved(
    checkerboard, tmp_path, monkeypatch, chosen
):
    monkeypatch.setattr(crane_choices, "choose_similarity", lambda data, vectors: chosen)
    model = build(checkerboard)
    assert model.objective.ranking.similarity == chosen
    save_model(model, "crane", {"embedding_dim": 6, "k": 3}, tmp_path / "model.safetensors")
    monkeypatch.undo()
    monkeypatch.delattr(crane_choices, "choose_similarity")
    loaded = load_model(tmp_path / "model.safetensors", checkerboard)
    assert loaded.objective == model.objective
    bpr = build(checkerboard, ranking="bpr")  # has nothing to choose
    assert bpr.objective.ranking.similarity == "inner"
    assert "ranking_similarity" not in bpr.resolved


@pytest.mark.parametrize("chosen", [True, False])
def test_whether_content_adds_to_embeddings_is_left_to_the_data_and_saved(
    checkerboard, tmp_path, monkeypatch, chosen
):
    monkeypatch.setattr(crane_choices, "choose_content", lambda *_: chosen)
    model = build(checkerboard)
    assert (model.content_term is not None) == model.resolved["content_term"] == chosen
    if chosen:
        model.content_term.weight.data.normal_()
    save_model(model, "crane", {"embedding_dim": 6, "k": 3}, tmp_path / "model.safetensors")
    monkeypatch.undo()
    monkeypatch.delattr(crane_choices, "choose_content")
    loaded = load_model(tmp_path / "model.safetensors", checkerboard)
    for found, wanted in zip(loaded(checkerboard), model.eval()(checkerboard), strict=True):
        torch.testing.assert_close(found, wanted)


def test_without_an_item_graph_content_adds_nothing(checkerboard):
    model = build(checkerboard, fusion=None)
    assert model.content_term is None
    assert model.resolved["content_term"] is False


def test_content_of_the_modalities_that_are_used(checkerboard):
    model = build(checkerboard, content_term=True, only_modalities=["visual"])
    assert [*model.content_term.basis] == ["visual"]


@pytest.mark.parametrize("spectral_start", [True, False])
def test_embeddings_start_from_the_interactions(checkerboard, spectral_start):
    """Items of the checkerboard's two kinds then lie apart before any training."""
    model = build(checkerboard, spectral_start=spectral_start)
    item = F.normalize(model.item_embedding.weight.detach(), dim=1)
    cosine = item @ item.T
    same = torch.arange(40).view(-1, 1) % 2 == torch.arange(40) % 2
    apart = bool(cosine[same].mean() > cosine[~same].mean() + 0.3)
    assert apart == spectral_start


def test_branches_apart_do_not_teach_each_other(checkerboard):
    model = build(checkerboard, dual_fusion=False, **SEMANTIC)
    views = model.views(checkerboard)
    views.h_user.sum().backward()
    assert model.item_embedding.weight.grad is None
    assert model.user_embedding.weight.grad is None
    assert model.semantic_embedding.weight.grad is not None


def test_similar_items_are_of_the_same_kind(checkerboard):
    model = build(checkerboard, loop=False)
    graph = model.similar_items(checkerboard)
    source, target = graph.edge_index
    assert graph.num_nodes == 40
    assert torch.bincount(target).tolist() == [3] * 40
    assert (source % 2 == target % 2).float().mean() > 0.95
    total = torch.zeros(40).index_add(0, target, graph.edge_weight)
    torch.testing.assert_close(total, torch.ones(40))


def test_no_item_graph_is_lightgcn_with_the_mean(checkerboard):
    model = build(checkerboard, fusion=None)
    with pytest.raises(ValueError, match="must have an item graph"):
        model.similar_items(checkerboard)
    views = model.views(checkerboard)
    assert (views.h_user == 0).all()
    assert (views.h_item == 0).all()
    assert set(model.loss(checkerboard, *batch(checkerboard))) == {"softmax"}


def test_an_item_without_any_modality_keeps_its_collaborative_embedding(checkerboard):
    for m in ("visual", "textual"):
        checkerboard["item"][f"{m}_mask"][5] = False
        checkerboard["item"][f"x_{m}"][5] = 1e6  # what a masked row holds does not matter
    checkerboard["item"].visual_mask[6] = False
    model = build(checkerboard)
    model.start_epoch(checkerboard)
    views = model.views(checkerboard)
    assert (views.h_item[5] == 0).all()
    assert (views.h_item[6] != 0).any()
    assert views.e_item[5].abs().sum() > 0
    assert not (model.similar_items(checkerboard).edge_index[1] == 5)[
        model.similar_items(checkerboard).edge_weight > 0
    ].any()
    torch.stack(list(model.loss(checkerboard, *batch(checkerboard)).values())).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_an_item_that_nobody_took_is_what_its_neighbours_are(checkerboard):
    store = checkerboard["user", "interacts", "item"]
    store.edge_index = store.edge_index[:, store.edge_index[1] != 7]
    model = build(checkerboard, fusion="concat").eval()
    with torch.no_grad():
        model.item_embedding.weight[7] = 1e6  # what it holds does not matter
    views = model.views(checkerboard)
    assert (views.e_item[7] == 0).all()
    similar = model.similar_items(checkerboard)
    to = similar.edge_index[1] == 7
    source, weight = similar.edge_index[0, to], similar.edge_weight[to]
    assert (source != 7).any()
    torch.testing.assert_close(views.h_item[7], weight @ views.e_item[source])
    torch.stack(list(model.loss(checkerboard, *batch(checkerboard)).values())).sum().backward()
    assert (model.item_embedding.weight.grad[7] == 0).all()
    assert model.item_embedding.weight.grad[6].abs().sum() > 0


def test_drop_edge_is_drawn_each_epoch_and_not_at_test(checkerboard):
    model = build(checkerboard, drop_edge="bernoulli", fusion="concat")
    model.start_epoch(checkerboard)
    first = model(checkerboard)[0]
    again = model(checkerboard)[0]
    model.start_epoch(checkerboard)
    second = model(checkerboard)[0]
    model.eval()
    full = model(checkerboard)[0]
    plain = build(checkerboard, fusion="concat").eval()(checkerboard)[0]
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert torch.equal(full, plain)


def test_drop_edge_is_of_the_data_at_hand(checkerboard):
    few = checkerboard.clone()
    few["user", "interacts", "item"].edge_index = few["user", "interacts", "item"].edge_index[:, :9]
    model = build(checkerboard, drop_edge="multinomial", drop_ratio=0.0, fusion=None)
    for data in (checkerboard, few):
        assert torch.equal(model.train()(data)[0], model.eval()(data)[0])


def test_degrees_of_the_sampled_graph(checkerboard):
    options = {"drop_edge": "multinomial", "drop_ratio": 0.5, "fusion": None}
    weights = []
    for degree in ("full", "sampled"):
        model = build(checkerboard, drop_degree=degree, num_layers=1, **options)
        first = model.encoder.convs[0]
        first.register_forward_pre_hook(lambda _, inputs: weights.append(inputs[1].weight))
        torch.manual_seed(1)
        model(checkerboard)
    weights = weights[::2]  # to the users, of either model
    assert weights[0].numel() == weights[1].numel() == 216
    assert weights[0].unique().numel() < weights[1].unique().numel()
    assert (weights[1] >= weights[0]).all()


def test_presets_are_table_3(checkerboard):
    baby, sports = CRANE.preset("baby"), CRANE.preset("sports")
    assert (baby.model["num_rounds"], baby.model["k"], baby.fit["lr"]) == (3, 15, 1e-4)
    assert (sports.model["temperature"], sports.model["beta"], sports.fit["lr"]) == (0.5, 0.7, 5e-5)
    assert CRANE.preset("electronics").model["l2"] == 5e-4
    assert list(PRESETS) == ["bpr", "paper", "baby", "sports", "clothing", "electronics"]
    for name in [*PRESETS][1:]:
        preset = CRANE.preset(name)
        assert build(checkerboard, **preset.model).encoder.thinning.mode == "bernoulli"
        assert preset.fit["patience"] == 5


def test_repr(checkerboard):
    assert repr(build(checkerboard, content_term=True)) == (
        "CRANE(24, 40, 6, num_layers=2, num_item_layers=1, "
        "item_graph=RefreshedItemGraph(LearnedItemGraph("
        "RCAFusion({'textual': 5, 'visual': 12}, 6), k=3), refresh='epoch'), "
        "content_term=ContentTerm({'textual': 5, 'visual': 12}, 6), "
        "history_fit=HistoryFit(steps=0), residual=Residual(LocalEASE, share=0))"
    )


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"drop_edge": "all"}, "drop_edge must be one of .*got 'all'"),
        ({"drop_degree": "half"}, "drop_degree must be one of .*got 'half'"),
        ({"readout": "max"}, "readout must be one of .*got 'max'"),
        ({"l2_of": "none"}, "l2_of must be one of .*got 'none'"),
        ({"reduction": "max"}, "reduction must be one of .*got 'max'"),
        ({"refresh": 0}, "refresh must be .*got 0"),
        ({"fusion": "stack"}, "fusion must be one of 'rca', 'concat', .*got 'stack'"),
        (
            SEMANTIC | {"dual_fusion": False, "fusion": None},
            "an item graph.*item_graph=None, contra",
        ),
        (
            SEMANTIC | {"dual_fusion": False, "beta": 0.1},
            "no contrastive term.*=InfoNCE.weight=0.1",
        ),
        ({"beta": 0.1}, "semantic_profile must not be None.*=InfoNCE.weight=0.1"),
        ({"dual_fusion": False}, "semantic_profile must not be None.*dual_fusion=False"),
        ({"only_modalities": ["smell"]}, r"some of \['textual', 'visual'\] .*got \['smell'\]"),
        ({"only_modalities": []}, "must have item features"),
        ({"profile": "median"}, "profile must be one of .*got 'median'"),
        ({"impl": "nystroem"}, "impl must be one of .*got 'nystroem'"),
        ({"act": "reluu"}, "Could not resolve 'reluu'"),
    ],
)
def test_bad_options(checkerboard, kwargs, match):
    with pytest.raises(ValueError, match=match):
        build(checkerboard, **kwargs)


def test_too_many_neighbours(checkerboard):
    with pytest.raises(ValueError, match="number of items .*k=40, items=40"):
        build(checkerboard, k=40)(checkerboard)


def test_a_set_without_features():
    data = build_hetero_data(
        torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0]), num_users=2, num_items=2
    )
    with pytest.raises(ValueError, match="must have item features"):
        CRANE.from_data(data)
    assert CRANE.from_data(data, fusion=None)(data)[0].shape == (2, 64)

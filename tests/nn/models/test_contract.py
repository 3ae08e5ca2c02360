"""What every model promises, on data with a known answer; a new model inherits all of it."""

import copy
import dataclasses
import inspect
import json

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn import L2, RankingLoss
from crane_pyg.nn.models import MODELS, Recommender, SolvedRecommender
from crane_pyg.nn.objectives import RANKING_LOSSES, BPRLoss, RankingSettings
from crane_pyg.training import evaluate, fit, recommend

# Half of the items that rows would share are what a user here likes, and ccl holds them off too. Of
# one negative a row none is easy, which is what the weight is for.
RANKINGS = {
    "softmax": {"ranking": "softmax"},
    "ccl": {"ranking": "ccl", "ranking_negatives": "row", "ranking_negative_weight": 1.0},
}


SOLVED = {name for name in MODELS if issubclass(MODELS[name], SolvedRecommender)}
# Of these everyone gets the same: their own tests say what they learn.
IMPERSONAL = {"popularity"}


def builder(model):
    """What constructs a small model of a kind from data."""
    small = {"embedding_dim": 8, "k": 3}
    small["negative_weight"] = 1.0  # of few items half are wrongly negative
    small = {name: value for name, value in small.items() if name in model.settings()}

    def construct(data, **kwargs):
        torch.manual_seed(0)
        if isinstance(kwargs.get("ranking"), RankingLoss):
            return model.from_data(data, **small | kwargs)
        return model.from_settings(data, **small | kwargs)

    construct.model = model
    return construct


@pytest.fixture(params=sorted(MODELS))
def build(request):
    """A small model of each kind, from data."""
    return builder(MODELS[request.param])


@pytest.fixture(params=sorted(MODELS.keys() - SOLVED))
def build_descending(request):
    """A small model of each kind that learns by gradients."""
    return builder(MODELS[request.param])


@pytest.fixture(params=sorted(SOLVED))
def build_solved(request):
    """A small model of each kind that learns without gradients."""
    return builder(MODELS[request.param])


def train_once(model, data):
    """A step, or all that there is to solve for."""
    if isinstance(model, SolvedRecommender):
        model.solve(data)
    else:
        model.start_epoch(data)
        torch.stack(list(model.loss(data, *batch(data)).values())).sum().backward()


@torch.no_grad()
def all_scores(model, data):
    return model.scorer(data)(torch.arange(data["user"].num_nodes))


def has_embeddings(model):
    return type(model).forward is not Recommender.forward


def batch(data, size=8):
    edge_index = data["user", "interacts", "item"].edge_index[:, :size]
    return edge_index[0], edge_index[1], (edge_index[1] + 1) % data["item"].num_nodes


OTHERS = [pytest.param(name, marks=pytest.mark.slow) for name in RANKINGS]


@pytest.mark.parametrize("ranking", [None, *OTHERS])
def test_it_learns_the_checkerboard(build, checkerboard, ranking):
    if ranking is not None and not build.model.takes_ranking:
        pytest.skip("it has a likelihood of its own, or none")
    if build.model in {MODELS[name] for name in IMPERSONAL}:
        pytest.skip("it tells no users apart")
    model = build(checkerboard, **RANKINGS.get(ranking, {}))
    # Not every epoch is a candidate: half of 40 items are right by chance before two of them are.
    options = {"epochs": 60, "eval_every": 20, "batch_size": 64, "lr": 0.01, "progress": False}
    fit(model, checkerboard, **options)
    # Of the even items an even user has two left: the held-out ones.
    score = all_scores(model, checkerboard)
    taken = checkerboard["user", "interacts", "item"].edge_index
    score[taken[0], taken[1]] = -torch.inf
    top = score.topk(2).indices
    assert (top % 2 == torch.arange(24).view(-1, 1) % 2).float().mean() > 0.95
    assert evaluate(model, checkerboard, "test", ks=(2,))["Recall@2"] > 0.9


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_it_trains_under_autocast(build_descending, checkerboard, dtype):
    model = build_descending(checkerboard)
    with torch.autocast("cpu", dtype=dtype):
        result = fit(model, checkerboard, epochs=2, batch_size=128, lr=0.01, progress=False)
    assert result.epochs == 2
    assert all(embedding.isfinite().all() for embedding in model(checkerboard))
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_scores_are_of_the_whole_catalogue_and_the_callers_to_overwrite(build, checkerboard):
    model = build(checkerboard)
    train_once(model, checkerboard)
    with torch.no_grad():
        score_of = model.eval().scorer(checkerboard)
    for user in (torch.arange(24), torch.tensor([7]), torch.tensor([5, 2, 5])):
        with torch.no_grad():
            score = score_of(user)
            kept = score.clone()
            score.fill_(torch.nan)
            again = score_of(user)
        assert kept.shape == (user.numel(), 40)
        torch.testing.assert_close(again, kept)
    if has_embeddings(model):
        torch.testing.assert_close(
            all_scores(model, checkerboard), model.scores(*model(checkerboard))
        )


def test_what_is_recommended_is_best_first_and_not_taken(build, checkerboard):
    model = build(checkerboard)
    train_once(model, checkerboard)
    top = recommend(model, checkerboard, k=40, exclude="train")
    score = all_scores(model.eval(), checkerboard)
    taken = checkerboard["user", "interacts", "item"].edge_index
    score[taken[0], taken[1]] = -torch.inf
    torch.testing.assert_close(top.score, score.sort(dim=1, descending=True).values)


def test_shapes_and_finite_gradients(build_descending, checkerboard):
    model = build_descending(checkerboard)
    user, item = model(checkerboard)
    assert user.shape == (24, model.out_channels)
    assert item.shape == (40, model.out_channels)
    model.start_epoch(checkerboard)
    terms = model.loss(checkerboard, *batch(checkerboard))
    torch.stack(list(terms.values())).sum().backward()
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    for name, parameter in learned.items():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_what_is_solved_for_is_kept_in_buffers_and_counted(build_solved, checkerboard):
    model = build_solved(checkerboard)
    fresh = model.num_learned()
    model.solve(checkerboard)
    assert not list(model.parameters())
    assert 0 < model.num_learned() >= fresh
    assert all(value.isfinite().all() for value in model.state_dict().values())
    with pytest.raises(TypeError, match="no loss"):
        model.loss(checkerboard, *batch(checkerboard))


def test_what_is_solved_for_is_loaded_into_a_fresh_model(build_solved, checkerboard):
    model, fresh = build_solved(checkerboard), build_solved(checkerboard)
    model.solve(checkerboard)
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(all_scores(fresh, checkerboard), all_scores(model, checkerboard))
    assert fresh.num_learned() == model.num_learned()


def test_a_run_that_was_stopped_goes_on(build_solved, checkerboard, tmp_path):
    whole, stopped, again = (build_solved(checkerboard) for _ in range(3))
    options = {"eval_every": 2, "progress": False}
    history = fit(whole, checkerboard, epochs=4, **options).history
    path = tmp_path / "checkpoint.pt"
    fit(stopped, checkerboard, epochs=2, checkpoint=path, **options)
    result = fit(again, checkerboard, epochs=4, checkpoint=path, **options)
    assert result.epochs == len(history) == (whole.passes or 4)
    assert torch.equal(all_scores(again, checkerboard), all_scores(whole, checkerboard))


def test_resetting_starts_anew(build_solved, checkerboard):
    model = build_solved(checkerboard)
    fit(model, checkerboard, epochs=2, progress=False)
    before = all_scores(model, checkerboard)
    torch.manual_seed(0)
    model.reset_parameters()
    assert model.num_learned() == build_solved(checkerboard).num_learned()
    fit(model, checkerboard, epochs=2, progress=False)
    torch.testing.assert_close(all_scores(model, checkerboard), before)


def test_a_batch_of_one_user_and_one_item(build_descending, checkerboard):
    model = build_descending(checkerboard)
    model.start_epoch(checkerboard)
    user, pos, neg = (x[:1] for x in batch(checkerboard))
    terms = model.loss(checkerboard, user, pos, neg)
    assert all(term.isfinite() for term in terms.values())


def test_mean_losses_of_a_batch_are_the_mean_of_single_ones(build_descending, checkerboard):
    model = build_descending(checkerboard).eval()
    if model.objective is not None:  # by one that rows share nothing in
        model.objective = dataclasses.replace(model.objective, ranking=BPRLoss())
    triplets = batch(checkerboard)
    whole = model.loss(checkerboard, *triplets)
    single = [
        model.loss(checkerboard, *(x[i : i + 1] for x in triplets)) for i in range(len(triplets[0]))
    ]
    names = set()
    if model.objective is not None:
        names = {model.objective.ranking.name}
        if isinstance(model.objective.regulariser, L2):
            names |= {model.objective.regulariser.name}
    assert names <= set(whole)
    for name in names:
        mean = torch.stack([terms[name] for terms in single]).mean()
        torch.testing.assert_close(whole[name], mean)


def test_inputs_are_left_as_they_were(build, checkerboard):
    before = copy.deepcopy(checkerboard)
    train_once(build(checkerboard), checkerboard)
    for store, old in zip(checkerboard.stores, before.stores, strict=True):
        assert list(store.keys()) == list(old.keys())
        for key, value in store.items():
            assert torch.equal(value, old[key]) if torch.is_tensor(value) else value == old[key]


def test_another_graph_is_not_confused_with_the_last(build, checkerboard):
    model = build(checkerboard)
    train_once(model, checkerboard)
    first = all_scores(model.eval(), checkerboard)
    other = copy.copy(checkerboard)
    store = other["user", "interacts", "item"]
    store.edge_index = store.edge_index[:, ::2].contiguous()
    second, again = all_scores(model, other), all_scores(model, checkerboard)
    assert torch.equal(first, second) == (not model.propagates)
    assert torch.equal(first, again)


def test_users_and_items_without_edges_stay_finite(build):
    num_items = 24
    data = build_hetero_data(
        torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 2, 3]]),
        torch.tensor([0, 0, 0, 1, 2]),
        num_users=3,
        num_items=num_items,
        features={"visual": torch.randn(num_items, 4), "textual": torch.randn(num_items, 3)},
        masks={
            "visual": torch.arange(num_items) % 3 > 0,
            "textual": torch.arange(num_items) % 2 > 0,
        },
    )
    model = build(data)
    fit(model, data, epochs=3, batch_size=2, progress=False)
    assert all_scores(model, data).isfinite().all()
    for embedding in model(data) if has_embeddings(model) else ():
        assert embedding.isfinite().all()


def test_a_second_set_of_other_sizes_and_widths(build, checkerboard):
    data = build_hetero_data(
        torch.tensor([[0, 1, 2, 2], [4, 3, 2, 1]]),
        torch.tensor([0, 0, 0, 1]),
        num_users=3,
        num_items=5,
        features={"acoustic": torch.randn(5, 17)},
    )
    train_once(build(checkerboard), checkerboard)
    model = build(data)
    if isinstance(model, SolvedRecommender):
        model.solve(data)
    assert all_scores(model, data).shape == (3, 5)
    if not has_embeddings(model):
        return
    user, item = model(data)
    assert (user.shape, item.shape) == ((3, model.out_channels), (5, model.out_channels))


def test_modalities_may_be_called_as_attributes_of_modules_are_and_hold_dots(build):
    names = ["keys", "items", "type", "pop", "to", "training", "my.visual", "my", "a b"]
    items = torch.arange(24)
    data = build_hetero_data(
        torch.stack([items % 6, items]),
        (items >= 20).long() + (items >= 22).long(),
        num_users=6,
        num_items=24,
        features={name: torch.randn(24, 3) for name in names},
    )
    model = build(data)
    fit(model, data, epochs=1, batch_size=4, progress=False)
    again = build(data).eval()
    again.load_state_dict(model.state_dict())
    model.start_epoch(data)
    again.start_epoch(data)
    assert torch.equal(all_scores(model, data), all_scores(again, data))


def test_a_copy_scores_the_same(build, checkerboard):
    model = build(checkerboard).eval()
    model.start_epoch(checkerboard)
    if isinstance(model, SolvedRecommender):
        model.solve(checkerboard)
    assert torch.equal(
        all_scores(copy.deepcopy(model), checkerboard), all_scores(model, checkerboard)
    )
    double = copy.deepcopy(model).double()
    state = model.state_dict()
    assert all(
        torch.equal(value, state[name].to(value.dtype))
        for name, value in double.state_dict().items()
    )


class Hinge(RankingLoss):
    """A ranking loss that no model has by itself."""

    name = "hinge"
    similarity = "cosine"

    def __call__(self, batch):
        pos, neg = F.cosine_similarity(batch.user, batch.item, dim=-1)
        return (0.5 - pos + neg).clamp(min=0).mean()


def test_another_ranking_loss_takes_the_place_of_the_models_own(build, checkerboard):
    if not build.model.takes_ranking:
        with pytest.raises(TypeError, match="ranking"):
            build(checkerboard, ranking=Hinge())
        return
    model = build(checkerboard)
    model.objective = dataclasses.replace(model.objective, ranking=Hinge())
    if "ranking" in inspect.signature(build.model).parameters:
        model = build(checkerboard, ranking=Hinge())
    model.eval()
    user, pos, neg = batch(checkerboard)
    z_user, z_item = model(checkerboard)
    similarity = F.normalize(z_user, dim=1) @ F.normalize(z_item, dim=1).T
    torch.testing.assert_close(model.scores(z_user, z_item), similarity)
    terms = model.loss(checkerboard, user, pos, neg)
    expected = (0.5 - similarity[user, pos] + similarity[user, neg]).clamp(min=0).mean()
    torch.testing.assert_close(terms["hinge"], expected)
    assert "bpr" not in terms


@pytest.mark.parametrize("name", RANKING_LOSSES)
def test_settings_name_the_ranking_loss(build, checkerboard, name):
    settings = {"ranking": name, "ranking_negatives": "row", "ranking_temperature": 0.3}
    if not build.model.takes_ranking:
        assert not settings.keys() & build.model.settings().keys()
        with pytest.raises(TypeError, match="ranking"):
            build(checkerboard, **settings)
        return
    own = {setting: x.default for setting, x in build.model.settings().items()}
    assert settings.keys() <= own.keys()
    model = build(checkerboard, **settings)
    expected = RankingSettings(**settings, ranking_max_negatives=own["ranking_max_negatives"])
    assert model.objective.ranking == expected.ranking_loss()
    assert build(checkerboard).objective.ranking.name == own["ranking"]


def test_settings_have_defaults_that_json_can_hold(build):
    defaults = {name: setting.default for name, setting in build.model.settings().items()}
    assert defaults.get("embedding_dim", 64) == 64
    assert json.loads(json.dumps(defaults)).keys() == defaults.keys()


def test_presets_construct(build, checkerboard):
    for preset in build.model.presets.values():
        small = {"embedding_dim": 8} | {k: 3 for k in ("k", "visual_k") if k in preset.model}
        build(checkerboard, **preset.model | small)(checkerboard)


@pytest.mark.parametrize(
    ("name", "value"),
    [("embedding_dim", 0), ("l2", -1.0), ("num_layers", -3), ("num_layers", 10**9)],
)
def test_nonsense_is_refused_before_anything_is_made(build, checkerboard, name, value):
    if name not in build.model.settings():
        pytest.skip("it has no such setting")
    for construct in (build.model.from_data, build.model.from_settings):
        with pytest.raises(ValueError, match=rf"^{name} must be .*got {value}\)"):
            construct(checkerboard, **{name: value})


def test_unknown_presets_are_named(build, checkerboard):
    with pytest.raises(ValueError, match="preset.*got 'jam'"):
        build(checkerboard).preset("jam")

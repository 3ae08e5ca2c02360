"""CRANE beside its equations, written out with dense matrices."""

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.nn.models.crane_presets import PAPER
from crane_pyg.nn.objectives import L2, BPRLoss, InfoNCE, Objective
from tests.nn.models.small_crane import SEMANTIC, build
from tests.nn.models.small_data import as_double, batch


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
    data = as_double(checkerboard)
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


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fusion": None},
        {"semantic_profile": "mean"},
        {"semantic_profile": "attention"},
        {"semantic_profile": "max", "act": "relu"},
        {"semantic_profile": "sum", "dual_fusion": False},
    ],
)
def test_a_batch_is_rows_of_all_users_and_items(checkerboard, options):
    model = build(checkerboard, **options)
    model.start_epoch(checkerboard)
    users, items = torch.tensor([5, 23, 0]), torch.tensor([39, 2])
    whole = model.views(checkerboard)
    at = users, users, items, items
    expected = [x[rows] for x, rows in zip(whole, at, strict=True)]
    torch.testing.assert_close(list(model.views(checkerboard, users, items)), expected)


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

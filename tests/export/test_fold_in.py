"""A new user's closed form is what propagation gives them, their own embedding being zero."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch_geometric.data import HeteroData

from crane_pyg.export import export_model
from crane_pyg.export.fold_in import fit_fold_in
from crane_pyg.nn.models import CRANE, MODELS
from crane_pyg.ops import csr_graph
from crane_pyg.serving import Recommender
from crane_pyg.serving.fold_in import LinearFoldIn, SolvedFoldIn
from crane_pyg.training import fit

HISTORIES = [[3], [0, 5, 7], [39, 1], list(range(20))]


def folded(found, history):
    constant = torch.zeros(1) if found.constant is None else found.constant
    linear = LinearFoldIn(
        tuple(term.table.detach().numpy() for term in found.terms),
        tuple(term.shift for term in found.terms),
        tuple(term.power for term in found.terms),
        constant.detach().numpy(),
    )
    return torch.from_numpy(linear.vector(history))


@torch.no_grad()
def propagated(model, data, histories):
    """The model's own forward pass, with users added who hear the items and are not heard."""
    to_item, to_user = model.user_item_graphs(data)
    old, new = data["user"].num_nodes, len(histories)
    item = torch.tensor([i for history in histories for i in history])
    user = torch.tensor([old + row for row, history in enumerate(histories) for _ in history])
    length = torch.tensor([float(len(history)) for history in histories])
    degree = to_item.in_degree.clamp(min=1)
    weight = (degree[item] * length[user - old]).rsqrt()
    size = (data["item"].num_nodes, old + new)
    edges = torch.cat([to_user.edge_index, torch.stack([item, user])], dim=1)
    hearing = csr_graph(edges, torch.cat([to_user.weight, weight]), size=size)
    # To the items nothing changes, but that there are more rows that they do not hear.
    heard = csr_graph(to_item.edge_index, to_item.weight, size=(old + new, size[0]))
    bigger = copy.copy(data)
    bigger["user"].num_nodes = old + new
    grown = copy.deepcopy(model)
    grown.user_embedding.weight = torch.nn.Parameter(
        F.pad(grown.user_embedding.weight, (0, 0, 0, new))
    )
    grown.user_item_graphs = lambda _: (heard, hearing)
    out = grown(bigger)[0][old:]
    data["user"].num_nodes = old
    return out


CASES = {
    "lightgcn": [{}, {"num_layers": 3}, {"num_layers": 0}],
    "freedom": [{}],
    "bm3": [{"num_layers": 2}],
    "lattice": [{}, {"num_layers": 3}, {"num_layers": 1}],
    "simplex": [{}],
    "slmrec": [{}],
    "crane": [
        {},
        {"fusion": None},
        {"readout": "sum", "semantic_profile": "mean", "num_layers": 3},
        {"readout": "last", "semantic_profile": "sum", "conv_weight": True},
        {"dual_fusion": False, "ranking": "bpr", "semantic_profile": "sqrt"},
        {"num_item_layers": 2, "fusion": "concat"},
    ],
}


@pytest.mark.parametrize(
    ("name", "settings"), [(name, case) for name, cases in CASES.items() for case in cases]
)
def test_the_closed_form_is_the_propagation(name, settings, checkerboard):
    kind = MODELS[name]
    small = {"embedding_dim": 8, "k": 3}
    small = {key: value for key, value in small.items() if key in kind.settings()}
    model = kind.from_settings(checkerboard, **small | settings).eval()
    found = model.fold_in(checkerboard)
    rows = torch.stack([folded(found, history) for history in HISTORIES])
    torch.testing.assert_close(
        rows, propagated(model, checkerboard, HISTORIES), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"act": "relu"},
        {"semantic_profile": "max"},
        {"dual_fusion": False, "ranking": "softmax", "semantic_profile": "sqrt"},
    ],
)
def test_what_is_no_sum_over_the_items_has_no_closed_form(settings, checkerboard):
    settings = {"ranking_similarity": "cosine", **settings}
    assert CRANE.from_data(checkerboard, embedding_dim=8, **settings).fold_in(checkerboard) is None


def test_an_item_that_nobody_took_says_what_its_neighbours_do(checkerboard):
    store = checkerboard["user", "interacts", "item"]
    store.edge_index = store.edge_index[:, store.edge_index[1] != 4]
    lightgcn = MODELS["lightgcn"].from_data(checkerboard, embedding_dim=8)
    assert not lightgcn.fold_in(checkerboard).terms[0].table[4].any()
    crane = CRANE.from_data(checkerboard, embedding_dim=8, k=3, semantic_profile="sqrt").eval()
    assert crane.fold_in(checkerboard).terms[0].table[4].any()


def test_alternating_least_squares_solves_for_a_new_user_as_for_its_own(checkerboard):
    model = MODELS["ials"].from_data(checkerboard, embedding_dim=8)
    model.solve(checkerboard)
    item = model.item_embedding.clone()
    model.solve(checkerboard)  # whose users are those of the items before
    gram = (model.alpha0 * item.double().T @ item.double()).numpy()
    solved = SolvedFoldIn(item.numpy(), gram, model.l2, model.nu, model.alpha0 * len(item))
    edges = checkerboard["user", "interacts", "item"].edge_index
    for user in (0, 7, 23):
        history = edges[1, edges[0] == user].tolist()
        vector = torch.from_numpy(solved.vector(history))
        torch.testing.assert_close(vector, model.user_embedding[user], rtol=1e-4, atol=1e-5)


def test_a_fitted_map_finds_the_one_that_there_is(checkerboard):
    item, linear, constant = torch.randn(40, 6), torch.randn(6, 6), torch.randn(6)
    edges = checkerboard["user", "interacts", "item"].edge_index
    histories = [edges[1, edges[0] == user] for user in range(24)]
    user = torch.stack([item[history].mean(0) @ linear + constant for history in histories])
    found = fit_fold_in(checkerboard, user, item)
    rows = torch.stack([folded(found, history.tolist()) for history in histories])
    torch.testing.assert_close(rows, user, rtol=0.05, atol=0.05)


def test_a_fitted_map_is_that_of_least_squares(checkerboard):
    edges = checkerboard["user", "interacts", "item"].edge_index
    user, item = torch.randn(24, 6), torch.randn(40, 6)
    histories = [edges[1, edges[0] == number] for number in range(24)]
    mean = torch.stack([item[history].mean(0) for history in histories]).double().numpy()
    centre = mean - mean.mean(0)
    # The ridge as rows of its own, and an intercept that it leaves alone.
    ridge = 1e-3 * np.square(centre).sum(0).mean()
    left = np.concatenate([centre, np.sqrt(ridge) * np.eye(6)])
    target = user.double().numpy()
    right = np.concatenate([target - target.mean(0), np.zeros((6, 6))])
    solved = np.linalg.lstsq(left, right, rcond=None)[0]
    expected = (mean - mean.mean(0)) @ solved + target.mean(0)
    found = fit_fold_in(checkerboard, user, item)
    rows = torch.stack([folded(found, history.tolist()) for history in histories])
    np.testing.assert_allclose(rows.numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "lr"), [("bpr", 0.02), ("vbpr", 0.02), ("multivae", 0.02), ("ultragcn", 0.1)]
)
def test_new_users_are_served_better_than_by_what_is_popular(name, lr, tmp_path):
    torch.manual_seed(0)
    data, hidden = planted()
    model = MODELS[name].from_settings(data, embedding_dim=16)
    fit(model, data, epochs=30, batch_size=256, lr=lr, progress=False)
    ids = [f"item {number}" for number in range(80)]
    users = [f"user {number}" for number in range(data["user"].num_nodes)]
    export_model(model, data, tmp_path, user_ids=users, item_ids=ids)
    shop = Recommender.load(tmp_path)
    assert shop.about["fold_in"]["kind"] == "fitted"
    hits, popular = 0, 0
    order = [f"item {i}" for i in np.argsort(-shop.tables.taken, kind="stable")]
    for history, wanted in hidden:
        names = [f"item {i}" for i in history]
        wanted = {f"item {i}" for i in wanted}
        hits += len(wanted & set(shop.recommend_for_history(names, 10).ids))
        popular += len(wanted & set([one for one in order if one not in names][:10]))
    assert hits > 2 * popular


def planted():
    """Four kinds of users, each of whom likes a quarter of the items; and people of these kinds
    whom training has not seen: what they took, and what they will take."""
    draw = np.random.default_rng(0)
    taken = [[*(kind + 4 * draw.permutation(20)[:10])] for kind in np.arange(160) % 4]
    pairs = [(user, item) for user, items in enumerate(taken[:120]) for item in items]
    data = HeteroData()
    data["user"].num_nodes, data["item"].num_nodes = 120, 80
    store = data["user", "interacts", "item"]
    edges = torch.tensor(pairs).T
    val, test = (torch.arange(edges.size(1)) % 10 == rest for rest in (0, 1))
    store.edge_index = edges[:, ~(val | test)]
    store.val_edge_label_index, store.test_edge_label_index = edges[:, val], edges[:, test]
    item = torch.arange(80)
    for m in ("visual", "textual"):
        data["item"][f"x_{m}"] = torch.randn(80, 8) + 2 * torch.eye(8)[item % 4]
        data["item"][f"{m}_mask"] = torch.ones(80, dtype=torch.bool)
    return data, [(items[:5], items[5:]) for items in taken[120:]]

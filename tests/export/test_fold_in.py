"""A new user's closed form is what propagation gives them, their own embedding being zero."""

import copy

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.export.fold_in import fit_fold_in
from crane_pyg.nn.models import CRANE, MODELS
from crane_pyg.ops import csr_graph
from crane_pyg.serving.fold_in import LinearFoldIn, SolvedFoldIn

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

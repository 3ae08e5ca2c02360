import importlib

import pytest
import torch

from crane_pyg.ops import ease, local_ease
from crane_pyg.ops.ease.local import LocalSystems

cooccurrence = importlib.import_module("crane_pyg.ops.cooccurrence")
local = importlib.import_module("crane_pyg.ops.ease.local")


def interactions(num_users=40, num_items=17, share=0.3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    taken = torch.rand(num_users, num_items, generator=generator) < share
    return taken.nonzero().T, taken.double()


def as_matrix(edge_index, weight, num_items):
    matrix = torch.zeros(num_items, num_items, dtype=weight.dtype)
    matrix[edge_index[0], edge_index[1]] = weight
    return matrix


def one_by_one(taken, l2, num_neighbors, features=None, reach=0.0):
    """The definition, item by item."""
    rows = taken if features is None else torch.cat([taken, features.T])
    together = taken.T @ (taken / taken.sum(1, keepdim=True).clamp(min=1).sqrt())
    popularity, n = taken.sum(0), len(together)
    weight = torch.zeros(n, n, dtype=taken.dtype)
    for j in range(n):
        score = {
            i: float((together[i, j] / popularity[i].sqrt()).float())
            for i in range(n)
            if i != j and together[i, j] > 0
        }
        nearest = sorted(score, key=lambda i: (-score[i], i))
        for width in (num_neighbors * factor for factor in (1, 2, 4, 8)):
            chosen = nearest[:width]
            had = taken[taken[:, j] > 0][:, chosen].sum(1)
            if not len(had) or had.mean() >= reach:
                break
        x = rows[:, chosen]
        system = x.T @ x + l2 * torch.eye(len(chosen), dtype=taken.dtype)
        weight[chosen, j] = torch.linalg.solve(system, x.T @ rows[:, j])
    return weight


@pytest.fixture(params=["dense", "sparse"])
def source(request, monkeypatch):
    """Where the systems are read from."""
    monkeypatch.setattr(local, "_DENSE", 1 << 30 if request.param == "dense" else 0)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("num_neighbors", [1, 4, 15])
@pytest.mark.parametrize("share", [0.05, 0.3])
@pytest.mark.parametrize("width", [0, 6])
def test_it_is_ridge_regression_on_few(num_neighbors, share, width, monkeypatch):
    monkeypatch.setattr(cooccurrence, "_ROWS", 5)
    monkeypatch.setattr(local, "_CHUNK", 60)
    edge_index, taken = interactions(share=share)
    features = torch.randn(17, width, dtype=torch.float64) if width else None
    edges, weight = local_ease(edge_index, (40, 17), 2.0, num_neighbors, features=features)
    assert edges.size(1) == weight.numel() == len(set(zip(*edges.tolist(), strict=True)))
    assert torch.equal(edges, edges[:, (edges[1] * 17 + edges[0]).argsort()])
    wanted = one_by_one(taken, 2.0, num_neighbors, features)
    got = as_matrix(edges, weight.double(), 17)
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-6)
    assert torch.equal(got != 0, wanted.abs() > 1e-9)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("num_neighbors", [1, 2, 5])
@pytest.mark.parametrize("reach", [1.5, 3.0, 100.0])
@pytest.mark.parametrize("rows", [5, 1000])
def test_items_have_more_until_those_who_took_them_took_enough(
    num_neighbors, reach, rows, monkeypatch
):
    monkeypatch.setattr(cooccurrence, "_ROWS", rows)
    edge_index, taken = interactions(400, 50, share=0.06)
    edges, weight = local_ease(edge_index, (400, 50), 2.0, num_neighbors, reach=reach)
    wanted = one_by_one(taken, 2.0, num_neighbors, reach=reach)
    got = as_matrix(edges, weight.double(), 50)
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-6)
    count = edges[1].bincount()
    assert count.max() > num_neighbors
    assert count.max() <= 8 * num_neighbors
    plain, _ = local_ease(edge_index, (400, 50), 2.0, num_neighbors)
    assert set(zip(*plain.tolist(), strict=True)) <= set(zip(*edges.tolist(), strict=True))


@pytest.mark.usefixtures("source")
def test_systems_are_solved_again_and_again():
    edge_index, _ = interactions()
    systems, features = LocalSystems(edge_index, (40, 17), 4), torch.randn(17, 3)
    for asked in ((2.0, 0.0, None), (2.0, 0.5, features), (9.0, 0.5, None), (2.0, 0.0, None)):
        l2, dropout, x = asked
        edges, weight = local_ease(edge_index, (40, 17), l2, 4, dropout=dropout, features=x)
        again = systems.solve(*asked)
        assert torch.equal(again[0], edges)
        assert torch.equal(again[1], weight)


def test_a_user_who_took_everything_chooses_nobodys_neighbours():
    """Items 0 and 1 go together, whatever two users did who took nearly all there are."""
    pairs = [(u, i) for u in range(8) for i in (0, 1)]
    pairs += [(u, i) for u in (8, 9) for i in range(1, 30)]
    edges, _ = local_ease(torch.tensor(pairs).T, (10, 30), 1.0, 1)
    assert edges[:, edges[1] == 0].tolist() == [[1], [0]]
    assert edges[:, edges[1] == 1].tolist() == [[0], [1]]


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("shape", [(40, 17), (12, 30), (3, 2), (1, 1)])
@pytest.mark.parametrize(("more", "dropout"), [(0, 0.0), (5, 0.0), (0, 0.6)])
def test_all_neighbours_are_ease(shape, more, dropout):
    edge_index, _ = interactions(*shape, share=0.2)
    num_neighbors = max(1, shape[1] - 1) + more
    edges, weight = local_ease(edge_index, shape, 3.0, num_neighbors, dropout=dropout)
    whole = ease(edge_index, shape, 3.0, dropout=dropout, dtype=torch.float64)
    got = as_matrix(edges, weight.double(), shape[1])
    torch.testing.assert_close(got, whole, rtol=0, atol=1e-6)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("num_neighbors", [4, 16])
def test_damping_weighs_users_and_chooses_nobody_else(num_neighbors):
    edge_index, taken = interactions()
    few = {"dropout": 0.5, "damping": 0.5}
    edges, weight = local_ease(edge_index, (40, 17), 3.0, num_neighbors, **few)
    plain, _ = local_ease(edge_index, (40, 17), 3.0, num_neighbors)
    assert torch.equal(edges, plain)
    length = taken.sum(1)
    count = torch.where(length > 0, length**-0.5, 0)
    rows = taken * (count * length.sum() / (length * count).sum()).sqrt().unsqueeze(1)
    got = as_matrix(edges, weight.double(), 17)
    for j in range(17):
        chosen = edges[0, edges[1] == j]
        system = rows[:, chosen].T @ rows[:, chosen]
        system += 3.0 * torch.eye(len(chosen)) + system.diag().diag()
        wanted = torch.linalg.solve(system, rows[:, chosen].T @ rows[:, j])
        torch.testing.assert_close(got[chosen, j], wanted, rtol=0, atol=1e-6)


@pytest.mark.usefixtures("source")
def test_items_that_nobody_took_have_no_edges():
    edge_index, _ = interactions()
    edges, _ = local_ease(edge_index, (41, 20), 1.0, 6)
    assert set(edges.unique().tolist()) == set(range(17))
    edges, weight = local_ease(edge_index[:, :0], (4, 5), 1.0, 2)
    assert edges.shape == (2, 0)
    assert weight.shape == (0,)


def test_bad_settings_are_refused_before_neighbours_are_looked_for(monkeypatch):
    monkeypatch.delattr(local, "LocalSystems")
    edge_index, _ = interactions()
    with pytest.raises(ValueError, match=r"l2.*got -1"):
        local_ease(edge_index, (40, 17), -1, 3)
    with pytest.raises(ValueError, match=r"features.*\[17, f\].*got \[17\]"):
        local_ease(edge_index, (40, 17), 1.0, 3, features=torch.ones(17))


def test_bad_input_is_refused():
    edge_index, _ = interactions()
    with pytest.raises(ValueError, match=r"l2.*got -1"):
        local_ease(edge_index, (40, 17), -1, 3)
    with pytest.raises(ValueError, match=r"num_neighbors.*got 0"):
        local_ease(edge_index, (40, 17), 1.0, 0)
    with pytest.raises(ValueError, match=r"reach.*got -0.5"):
        local_ease(edge_index, (40, 17), 1.0, 3, reach=-0.5)
    with pytest.raises(ValueError, match=r"damping.*got -0.5"):
        local_ease(edge_index, (40, 17), 1.0, 3, damping=-0.5)
    with pytest.raises(ValueError, match=r"features.*\[17, f\].*got \[17\]"):
        local_ease(edge_index, (40, 17), 1.0, 3, features=torch.ones(17))
    with pytest.raises(ValueError, match=r"item indices.*\[0, 5\)"):
        local_ease(edge_index, (40, 5), 1.0, 3)

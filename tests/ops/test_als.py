import importlib

import pytest
import torch

from crane_pyg.ops import alternating_least_squares, csr_graph

als = importlib.import_module("crane_pyg.ops.als")


def world(num_users=30, num_items=21, dim=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(num_users, 1, generator=generator)  # users of very different degree
    taken = torch.rand(num_users, num_items, generator=generator) < share
    taken[4] = False
    user, item = taken.nonzero().T
    graph = csr_graph(torch.stack([item, user]), size=(num_items, num_users))
    x = torch.randn(num_items, dim, generator=generator, dtype=torch.float64)
    l2 = torch.rand(num_users, generator=generator, dtype=torch.float64) + 0.1
    return taken, graph, x, l2


def one_by_one(taken, x, l2, alpha0):
    """The minimiser of the weighted squares of all pairs, a dense system for each user."""
    rows = []
    for mine, weight in zip(taken.to(x.dtype), l2, strict=True):
        # sqrt(w) (x y - target), stacked for the observed pairs, all pairs, and the regulariser.
        left = torch.cat(
            [mine.unsqueeze(1) * x, alpha0**0.5 * x, weight.sqrt() * torch.eye(x.size(1)).to(x)]
        )
        right = torch.cat([mine, torch.zeros(len(left) - len(mine)).to(x)])
        rows.append(torch.linalg.lstsq(left, right.unsqueeze(1)).solution.squeeze(1))
    return torch.stack(rows)


@pytest.mark.parametrize("chunk", [1, 100, 1 << 20])
@pytest.mark.parametrize("alpha0", [0.01, 1.0])
def test_each_row_minimises_the_objective(chunk, alpha0, monkeypatch):
    monkeypatch.setattr(als, "_CHUNK", chunk)
    taken, graph, x, l2 = world()
    out = alternating_least_squares(graph, x, l2, alpha0)
    torch.testing.assert_close(out, one_by_one(taken, x, l2, alpha0))
    assert not out[4].any()


def test_single_precision_and_graphs_without_edges():
    taken, graph, x, l2 = world()
    single = alternating_least_squares(graph, x.float(), l2.float(), 0.1)
    assert single.dtype == torch.float32
    wanted = one_by_one(taken, x, l2, 0.1).float()
    torch.testing.assert_close(single, wanted, rtol=1e-3, atol=1e-5)
    empty = csr_graph(torch.empty(2, 0, dtype=torch.long), size=(21, 30))
    assert not alternating_least_squares(empty, x, l2, 0.1).any()

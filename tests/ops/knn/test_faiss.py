import importlib
import sys

import pytest
import torch

from crane_pyg.ops.knn import edge_cosine, knn_graph
from crane_pyg.ops.knn.faiss import _others
from tests.ops.knn.test_api import brute_force, random_rows

api = importlib.import_module("crane_pyg.ops.knn.api")


def share_found(found, expected, k):
    found, expected = found[0].view(-1, k), expected[0].view(-1, k)
    return float((found.unsqueeze(2) == expected.unsqueeze(1)).any(2).float().mean())


@pytest.mark.parametrize("n", [2, 63, 257, 900])
def test_where_all_cells_are_visited_it_errs_by_half_precision_alone(n):
    pytest.importorskip("faiss")
    x = random_rows(n)
    k = min(n - 1, 5)
    found, expected = knn_graph(x, k, impl="faiss"), brute_force(x, k)
    assert torch.equal(found[1], expected[1])
    assert torch.unique(found, dim=1).size(1) == n * k
    # A similarity of unit rows, one of them rounded, is off by half a unit in the last place of 11.
    similarity = (edge_cosine(x, edges).view(n, k) for edges in (found, expected))
    torch.testing.assert_close(*similarity, atol=2**-11, rtol=0)


def test_most_are_found_and_always_the_same():
    pytest.importorskip("faiss")
    torch.manual_seed(0)
    x = torch.randn(40, 16)[torch.randint(40, (6000,))] + torch.randn(6000, 16)
    expected = brute_force(x, 10)
    found = knn_graph(x, 10, impl="faiss")
    assert share_found(found, expected, 10) > 0.9
    assert torch.equal(found[1], expected[1])
    assert not (found[0] == found[1]).any()
    assert torch.equal(knn_graph(x, 10, impl="faiss"), found)


def test_some_items_ask():
    pytest.importorskip("faiss")
    x, query = random_rows(300), torch.arange(300) % 7 == 0
    expected = brute_force(x, 4)
    found = knn_graph(x, 4, query=query, impl="faiss")
    assert torch.equal(found, expected[:, query[expected[1]]])


def test_what_was_not_found_is_filled_up():
    found = torch.tensor([[0, 3, -1], [3, 0, 1], [-1, -1, -1]])
    filled = _others(found, torch.tensor([0, 1, 3]), 2, 4)
    assert filled.tolist() == [[3, 1], [3, 0], [0, 1]]


def test_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match="pip install faiss-cpu"):
        knn_graph(random_rows(9), 2, impl="faiss")


@pytest.mark.parametrize(("installed", "choice"), [({"faiss"}, "faiss"), (set(), "blocked")])
def test_auto_takes_it_for_many_items_where_it_is_installed(monkeypatch, installed, choice):
    monkeypatch.setattr(api, "find_spec", lambda name: name in installed or None)
    monkeypatch.setattr(api, "APPROXIMATE_FROM", 50)
    assert api._choose(random_rows(50)) == choice
    assert api._choose(random_rows(49)) == "blocked"

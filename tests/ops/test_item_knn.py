import importlib
import math

import pytest
import torch

from crane_pyg.ops import item_knn

cooccurrence = importlib.import_module("crane_pyg.ops.cooccurrence")


def interactions(num_users=40, num_items=17, share=0.3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    taken = torch.rand(num_users, num_items, generator=generator) < share
    return taken.nonzero().T, taken.double()


def similarities(taken, weighting, shrinkage):
    """The definition, pair by pair."""
    num_users, num_items = taken.shape
    popularity, degree = taken.sum(0).tolist(), taken.sum(1).tolist()
    mean = sum(popularity) / num_items
    out = torch.zeros(num_items, num_items, dtype=torch.float64)
    for i in range(num_items):
        for j in range(num_items):
            common = [u for u in range(num_users) if taken[u, i] and taken[u, j]]
            length = math.sqrt(popularity[i] * popularity[j])
            if not common or i == j:
                continue
            if weighting == "cosine":
                out[i, j] = len(common) / (length + shrinkage)
                continue
            weight = 1.0
            for item in (i, j):
                weight *= 2.2 / (1.2 * (0.25 + 0.75 * popularity[item] / mean) + 1)
            words = sum(math.log(num_items / (1 + degree[u])) ** 2 for u in common)
            out[i, j] = weight * words / (1 + shrinkage / length)
    return out


@pytest.mark.parametrize("weighting", ["cosine", "bm25"])
@pytest.mark.parametrize("shrinkage", [0.0, 3.0])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_neighbours_are_the_most_similar_by_definition(weighting, shrinkage, k, monkeypatch):
    monkeypatch.setattr(cooccurrence, "_ROWS", 6)
    edge_index, taken = interactions()
    wanted = similarities(taken, weighting, shrinkage)
    edges, weight = item_knn(edge_index, (40, 17), k, weighting=weighting, shrinkage=shrinkage)
    assert torch.equal(edges, edges[:, (edges[1] * 17 + edges[0]).argsort()])
    neighbour, item = edges
    torch.testing.assert_close(weight, wanted[item, neighbour].float())
    wanted = wanted.float()
    for i in range(17):
        mine = wanted[i][neighbour[item == i]]
        best = wanted[i].sort(descending=True).values[:k]
        torch.testing.assert_close(mine.sort(descending=True).values, best[best > 0])


def test_a_drawn_example():
    """Two users took items 0 and 1, one of them 2 as well."""
    edge_index = torch.tensor([[0, 0, 1, 1, 1], [0, 1, 0, 1, 2]])
    edges, weight = item_knn(edge_index, (2, 4), 1)
    assert edges.tolist() == [[1, 0, 0], [0, 1, 2]]
    torch.testing.assert_close(weight, torch.tensor([1.0, 1.0, 0.5**0.5]))
    edges, weight = item_knn(edge_index[:, :0], (2, 4), 1)
    assert edges.shape == (2, 0)
    assert weight.shape == (0,)


def test_bad_input_is_refused():
    edge_index, _ = interactions()
    with pytest.raises(ValueError, match="weighting must be one of 'cosine', 'bm25'"):
        item_knn(edge_index, (40, 17), 3, weighting="jaccard")
    with pytest.raises(ValueError, match=r"k must be .*got 0"):
        item_knn(edge_index, (40, 17), 0)
    with pytest.raises(ValueError, match=r"shrinkage.*got -1"):
        item_knn(edge_index, (40, 17), 3, shrinkage=-1)
    with pytest.raises(ValueError, match=r"item indices.*\[0, 5\)"):
        item_knn(edge_index, (40, 5), 3)

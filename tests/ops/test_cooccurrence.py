import importlib

import numpy as np
import pytest
import torch

from crane_pyg.ops.cooccurrence import (
    cooccurrence,
    interaction_matrix,
    strongest,
    times_taken,
)

module = importlib.import_module("crane_pyg.ops.cooccurrence")


def drawn():
    """Three users: items 0 and 1; 1 and 2, the latter in two rows; and 0, 1 and 2."""
    return torch.tensor([[0, 0, 1, 1, 1, 2, 2, 2], [0, 1, 2, 1, 2, 2, 0, 1]])


def test_pairs_are_counted_once():
    assert interaction_matrix(drawn(), (3, 4)).sum() == 7
    together = cooccurrence(drawn(), (3, 4))
    assert together.tolist() == [[2, 2, 1, 0], [2, 3, 2, 0], [1, 2, 2, 0], [0, 0, 0, 0]]
    assert together.dtype == torch.float32
    assert not cooccurrence(drawn()[:, :0], (3, 4)).any()


def test_pairs_of_narrow_integers_are_told_apart():
    """Half of all the pairs that there could be have no number in 32 bits."""
    edge_index = torch.tensor([[0, 65_536, 65_537], [1, 1, 2]], dtype=torch.int32)
    taken = interaction_matrix(edge_index, (65_538, 65_536)).tocoo()
    assert [part.tolist() for part in taken.coords] == edge_index.tolist()


@pytest.mark.parametrize("rows", [1, 100])
def test_the_strongest_come_in_the_order_of_items(rows, monkeypatch):
    monkeypatch.setattr(module, "_ROWS", rows)
    taken = interaction_matrix(drawn(), (3, 4))
    found = strongest(taken, taken, 1, lambda item, other, value: value)
    assert [part.tolist() for part in found] == [[0, 1, 2], [1, 0, 1], [2, 2, 2]]
    item, other, value = strongest(taken, taken, 2, lambda item, other, value: value / (1 + other))
    assert list(zip(item.tolist(), other.tolist(), strict=True)) == [
        *((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1))
    ]
    assert value[0] == 1


@pytest.mark.parametrize("k", [1, 3, 7, 50])
def test_of_equal_ones_the_first_are_the_strongest(k, monkeypatch):
    monkeypatch.setattr(module, "_ROWS", 8)
    generator = torch.Generator().manual_seed(k)
    edge_index = (torch.rand(25, 30, generator=generator) < 0.2).nonzero().T
    taken = interaction_matrix(edge_index, (25, 40))
    found = strongest(taken, taken, k, lambda item, other, value: np.minimum(value, 2))
    together = cooccurrence(edge_index, (25, 40)).fill_diagonal_(0).clamp(max=2)
    wanted = []
    for item, row in enumerate(together.tolist()):
        chosen = sorted((j for j, value in enumerate(row) if value), key=lambda j: (-row[j], j))
        wanted += [(item, j, row[j]) for j in sorted(chosen[:k])]
    assert list(zip(*(part.tolist() for part in found), strict=True)) == wanted


@pytest.mark.parametrize("rows", [1, 100])
def test_the_strongest_of_some_items(rows, monkeypatch):
    monkeypatch.setattr(module, "_ROWS", rows)
    taken = interaction_matrix(drawn(), (3, 4))
    whole = strongest(taken, taken, 2, lambda item, other, value: value)
    some = strongest(taken, taken, 2, lambda item, other, value: value, np.array([0, 2, 3]))
    kept = whole[0] != 1
    assert [part.tolist() for part in some] == [part[kept].tolist() for part in whole]


@pytest.mark.parametrize("rows", [1, 100])
def test_how_many_of_an_items_others_were_taken_with_it(rows, monkeypatch):
    monkeypatch.setattr(module, "_ROWS", rows)
    edge_index = torch.tensor([[0, 0, 0, 1, 1, 2], [0, 1, 2, 0, 2, 0]])
    taken = interaction_matrix(edge_index, (3, 5))
    item, other = np.array([2, 0, 0, 4, 1]), np.array([0, 2, 3, 0, 3])
    assert times_taken(taken, item, other).tolist() == [2 / 3, 0, 1, 0, 0]

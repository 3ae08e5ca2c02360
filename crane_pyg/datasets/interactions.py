"""Cleaning and splitting interactions, before they become a graph."""

import torch
from torch import Tensor

TRAIN, VAL, TEST = 0, 1, 2
SPLIT_NAMES = ("train", "validation", "test")


def merge_duplicates(edge_index: Tensor, label: Tensor) -> tuple[Tensor, Tensor, int]:
    """Keeps every pair once, in its earliest split, sorted by user and then item.

    Shapes:
        - **input:** pairs :math:`(2, R)`, labels :math:`(R)`
        - **output:** distinct pairs :math:`(2, E)`, their labels :math:`(E)`, and the number of
          pairs found in more than one split
    """
    order = label.argsort(stable=True)
    order = order[_pair_key(edge_index)[order].argsort(stable=True)]
    edge_index, label = edge_index[:, order], label[order]
    _, count = torch.unique_consecutive(_pair_key(edge_index), return_counts=True)
    last = count.cumsum(0) - 1
    first = last - count + 1
    num_leaked = int((label[first] != label[last]).sum())
    return edge_index[:, first], label[first], num_leaked


def frequent_users(edge_index: Tensor, min_interactions: int) -> tuple[Tensor, Tensor]:
    """Finds the users with enough distinct interactions.

    Shapes:
        - **input:** distinct pairs :math:`(2, E)`
        - **output:** ids of the users to keep :math:`(M)`, ascending, and which pairs are theirs
          :math:`(E)`
    """
    user, inverse, count = torch.unique(edge_index[0], return_inverse=True, return_counts=True)
    enough = count >= min_interactions
    return user[enough], enough[inverse]


def random_split(num_interactions: int, seed: int) -> Tensor:
    """Labels interactions train, validation or test at random, 8:1:1.

    Args:
        num_interactions (int): How many interactions to label, at least 10.
        seed (int): Equal seeds give equal labels.

    Shapes:
        - **output:** labels :math:`(E)`: 1 and 2 for a tenth each, rounded down, 0 for the rest
    """
    size = num_interactions // 10
    if size == 0:
        raise ValueError(f"A split 8:1:1 needs 10 interactions or more (got {num_interactions})")
    order = torch.randperm(num_interactions, generator=torch.Generator().manual_seed(seed))
    label = torch.full((num_interactions,), TRAIN)
    label[order[:size]] = VAL
    label[order[size : 2 * size]] = TEST
    return label


def _pair_key(edge_index: Tensor) -> Tensor:
    return edge_index[0] * (edge_index[1].max() + 1) + edge_index[1]

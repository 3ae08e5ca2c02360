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


def drop_rare_users(edge_index: Tensor, label: Tensor, least: int) -> tuple[Tensor, Tensor, Tensor]:
    """Keeps the pairs of users with enough of them, and numbers these users without gaps.

    Args:
        edge_index (torch.Tensor): Distinct pairs.
        label (torch.Tensor): The label of each pair.
        least (int): How many pairs a user needs, at least 1.

    Shapes:
        - **input:** pairs :math:`(2, E)`, labels :math:`(E)`
        - **output:** pairs :math:`(2, E')`, labels :math:`(E')`, and the former ids of the users
          :math:`(M')`, ascending
    """
    user, inverse, count = torch.unique(edge_index[0], return_inverse=True, return_counts=True)
    kept = user[count >= least]
    is_kept = (count >= least)[inverse]
    edge_index = edge_index[:, is_kept]
    edge_index = torch.stack([torch.searchsorted(kept, edge_index[0]), edge_index[1]])
    return edge_index, label[is_kept], kept


def random_split(num_interactions: int, seed: int) -> Tensor:
    """Labels interactions train, validation or test at random, 8:1:1.

    Args:
        num_interactions (int): How many interactions to label.
        seed (int): Equal seeds give equal labels.

    Shapes:
        - **output:** labels :math:`(E)`: 1 and 2 for a tenth each, rounded down, 0 for the rest
    """
    size = num_interactions // 10
    order = torch.randperm(num_interactions, generator=torch.Generator().manual_seed(seed))
    label = torch.full((num_interactions,), TRAIN)
    label[order[:size]] = VAL
    label[order[size : 2 * size]] = TEST
    return label


def _pair_key(edge_index: Tensor) -> Tensor:
    return edge_index[0] * (edge_index[1].max() + 1) + edge_index[1]

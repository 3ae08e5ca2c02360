"""The edges of some users at a time, without a pass over all edges for each block."""

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor


def edge_blocks(size: int, users: Tensor, edges: Tensor) -> Iterator[Tensor]:
    """The edges of each block of ascending users, numbered by the rows of the block.

    Args:
        size (int): users of a block; the last one may have fewer.
        users (Tensor): ``[U]``, at least one, distinct and ascending.
        edges (Tensor): ``[2, E]``, users first, in any order; those of other users are left out.

    Yields:
        ``[2, e]``, rows of the block first, ascending, and otherwise in the order of ``edges``
    """
    row = torch.searchsorted(users, edges[0].contiguous()).clamp(max=users.numel() - 1)
    known = users[row] == edges[0]
    edges = torch.stack([row[known], edges[1][known]])
    edges = edges[:, edges[0].argsort(stable=True)]
    starts = torch.arange(0, users.numel() + size, size, device=users.device)
    bounds = torch.searchsorted(edges[0].contiguous(), starts).tolist()
    for number, (low, high) in enumerate(itertools.pairwise(bounds)):
        shift = torch.tensor([[number * size], [0]], device=users.device)
        yield edges[:, low:high] - shift

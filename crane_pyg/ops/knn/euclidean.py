"""Cosine neighbours from a search that knows Euclidean distance only."""

from collections.abc import Callable

import torch
from torch import Tensor

Search = Callable[[Tensor, Tensor, int], Tensor]


def neighbours_by_distance(unit: Tensor, k: int, query: Tensor, search: Search) -> Tensor:
    r"""The k most similar other rows of some rows, found by :obj:`search`.

    Between unit rows :math:`\|a - b\|^2 = 2 - 2 \cos(a, b)`, so the nearest are the most similar.
    Rows of zeros would stand at distance 1 instead of :math:`\sqrt 2`; an added channel, one for
    them and zero for the others, puts that right.

    Args:
        unit (Tensor): Rows of length one or zero, [N, F].
        k (int): The number of neighbours.
        query (Tensor): Which rows, [Q].
        search (Callable): Maps rows, some of them and a number to the indices of that many nearest
            rows, nearest first, self included, [Q, number].
    """
    n = query.numel()
    zero = (unit == 0).all(dim=1)
    if zero.any():
        unit = torch.cat([unit, zero.to(unit.dtype).view(-1, 1)], dim=1)
    found = search(unit, unit[query], k + 1).view(n, k + 1)
    is_self = found == query.view(-1, 1)
    # A row with more than k duplicates may not find itself; the farthest leaves in its place.
    is_self[:, -1] |= ~is_self.any(dim=1)
    neighbour = found[~is_self].view(n, k)
    # The added channel makes rows of zeros alike, but all others are equally far from them.
    row = zero[query].nonzero().view(-1)
    first = torch.arange(k, device=unit.device)
    neighbour[row] = first + (first >= query[row].view(-1, 1)).long()
    return neighbour

"""Cosine neighbours from a search that knows Euclidean distance only."""

from collections.abc import Callable

import torch
from torch import Tensor

Search = Callable[[Tensor, int], Tensor]


def neighbours_by_distance(unit: Tensor, k: int, search: Search) -> Tensor:
    r"""The k most similar other rows of each row, found by :obj:`search`.

    Between unit rows :math:`\|a - b\|^2 = 2 - 2 \cos(a, b)`, so the nearest are the most similar.
    Rows of zeros would stand at distance 1 instead of :math:`\sqrt 2`; an added channel, one for
    them and zero for the others, puts that right.

    Args:
        unit (Tensor): Rows of length one or zero, [N, F].
        k (int): The number of neighbours.
        search (Callable): Maps rows and a number to the indices of that many nearest rows,
            nearest first, self included, [N, number].
    """
    n = unit.size(0)
    zero = (unit == 0).all(dim=1)
    if zero.any():
        unit = torch.cat([unit, zero.to(unit.dtype).view(-1, 1)], dim=1)
    found = search(unit, k + 1).view(n, k + 1)
    is_self = found == torch.arange(n, device=unit.device).view(-1, 1)
    # A row with more than k duplicates may not find itself; the farthest leaves in its place.
    is_self[:, -1] |= ~is_self.any(dim=1)
    neighbour = found[~is_self].view(n, k)
    # The added channel makes rows of zeros alike, but all others are equally far from them.
    row = zero.nonzero()
    first = torch.arange(k, device=unit.device)
    neighbour[row.view(-1)] = first + (first >= row).long()
    return neighbour

"""A random part of what is too many, the same each time."""

import torch
from torch import Tensor


def some_of(rows: Tensor, most: int) -> Tensor:
    """Of more than ``most`` entries as many at random, always the same, in their order; else all.

    Args:
        rows (Tensor): entries.
        most (int): how many may stay.

    Shapes:
        - **rows:** ``[n]``, **output:** ``[min(n, most)]``

    Examples:
        >>> import torch
        >>> from crane_pyg.ops import some_of
        >>> users = torch.arange(1000)
        >>> some_of(users, 10).shape, some_of(users, 2000).shape
        (torch.Size([10]), torch.Size([1000]))
    """
    if rows.numel() <= most:
        return rows
    order = torch.randperm(rows.numel(), generator=torch.Generator().manual_seed(0))
    return rows[order[:most].sort().values.to(rows.device)]

"""Entries of several stretches of an array, without a loop over the stretches."""

import torch
from torch import Tensor


def ranges(start: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Indices of stretches of an array, one after the other.

    Args:
        start (Tensor): ``[n]``, where each stretch starts.
        count (Tensor): ``[n]``, how long it is.

    Returns:
        which stretch an index belongs to, and the index; ``[count.sum()]`` each.
    """
    stretch = torch.arange(count.numel(), device=count.device).repeat_interleave(count)
    shift = start - (count.cumsum(0) - count)
    return stretch, shift[stretch] + torch.arange(stretch.numel(), device=count.device)

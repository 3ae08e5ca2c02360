"""Entries of several stretches of an array, without a loop over the stretches."""

import torch
import torch.nn.functional as F
from torch import Tensor


def ranges(start: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Indices of stretches of an array, one after the other.

    Args:
        start (Tensor): ``[n]``, where each stretch starts.
        count (Tensor): ``[n]``, how long it is.

    Returns:
        which stretch an index belongs to, and the index; ``[count.sum()]`` each.
    """
    index = entries(start, count)
    stretch = torch.arange(count.numel(), device=count.device)
    return stretch.repeat_interleave(count, output_size=index.numel()), index


def entries(start: Tensor, count: Tensor) -> Tensor:
    """The indices that :func:`ranges` returns, in the dtype of ``start``.

    Args:
        start, count (Tensor): as :func:`ranges` takes them.
    """
    before = F.pad(count.cumsum(0, dtype=start.dtype), (1, 0))
    size = int(before[-1])
    shift = (start - before[:-1]).repeat_interleave(count, output_size=size)
    return shift + torch.arange(size, dtype=start.dtype, device=start.device)

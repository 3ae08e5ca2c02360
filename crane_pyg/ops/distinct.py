"""Distinct entries of an index, found without making the host wait for a CUDA device."""

import torch
from torch import Tensor


def distinct(index: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct entries of an index, so that each row is gathered only once.

    :func:`torch.unique` makes the host wait for a CUDA device, to learn the size of the result. So
    on CUDA the result is as long as the index, and its end repeats entries.

    Args:
        index (Tensor): integers.

    Returns:
        the distinct entries, ascending, and for each entry of ``index`` its place among them.

    Shapes:
        - **index:** of any shape, n entries in all
        - **output:** ``[u]``, or ``[n]`` on CUDA; and the shape of ``index``

    Examples:
        >>> import torch
        >>> from crane_pyg.ops import distinct
        >>> entries, place = distinct(torch.tensor([5, 2, 5]))
        >>> entries, place
        (tensor([2, 5]), tensor([1, 0, 1]))
        >>> torch.equal(entries[place], torch.tensor([5, 2, 5]))
        True
    """
    if not index.is_cuda:
        return torch.unique(index, return_inverse=True)
    return padded_distinct(index)


def padded_distinct(index: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`distinct` as it is on CUDA, on any device."""
    ordered, order = index.flatten().sort(stable=True)
    place = torch.cat([ordered.new_zeros(1), (ordered.diff() != 0).cumsum(0)])[: ordered.numel()]
    inverse = torch.empty_like(order).scatter_(0, order, place)
    return ordered.scatter(0, place, ordered), inverse.view_as(index)

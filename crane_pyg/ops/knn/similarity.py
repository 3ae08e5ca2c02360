"""Cosine similarity of rows, shared by the graph and its weights."""

import torch
from torch import Tensor

CHUNK = 1 << 24  # elements gathered at once: raw features are thousands of channels wide


def unit_rows(x: Tensor) -> Tensor:
    """Divides every row by its length; a row of zeros stays zero, with a gradient of zero.

    Half precision becomes float32. Rows are divided by their largest entry first, so that the
    squares of tiny or huge rows neither vanish nor overflow.

    Shapes:
        - **x** and **output:** ``[n, d]``
    """
    x = x.to(torch.float32 if x.dtype.itemsize < 4 else x.dtype)
    peak = x.detach().abs().amax(dim=1, keepdim=True)  # [N, 1]
    zero = peak == 0
    x = x / peak.masked_fill(zero, 1)
    norm = torch.linalg.vector_norm(x, dim=1, keepdim=True).masked_fill(zero, 1)
    return (x / norm).masked_fill(zero, 0)


def edge_cosine(x: Tensor, edge_index: Tensor) -> Tensor:
    r"""The cosine similarity of the two ends of every edge, differentiable in :obj:`x`.

    .. math::
        S_{ij} = \frac{\mathbf{x}_i^\top \mathbf{x}_j}{\|\mathbf{x}_i\| \|\mathbf{x}_j\|}

    A row of zeros has similarity 0 to everything, and takes a gradient of zero.

    Args:
        x (Tensor): The features.
        edge_index (Tensor): The edges.

    Shapes:
        - **x:** :math:`(N, F)`, **edge_index:** :math:`(2, E)`
        - **output:** :math:`(E)`, in the dtype of :obj:`x`
    """
    unit, step = unit_rows(x), max(1, CHUNK // max(1, x.size(1)))
    ends = zip(*(torch.split(index, step) for index in edge_index), strict=True)
    cosine = torch.cat([(unit[src] * unit[dst]).sum(dim=1) for src, dst in ends])
    return cosine.to(x.dtype)

"""Cosine similarity of rows, shared by the graph and its weights."""

import torch
from torch import Tensor


def unit_rows(x: Tensor) -> Tensor:
    """Divides every row by its length; a row of zeros stays zero, with a gradient of zero.

    Half precision becomes float32. Rows are divided by their largest entry first, so that the
    squares of tiny or huge rows neither vanish nor overflow.
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
    unit = unit_rows(x)
    source, target = edge_index[0], edge_index[1]
    return (unit[source] * unit[target]).sum(dim=1).to(x.dtype)

"""Cosine similarity of rows, shared by the graph and its weights."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from crane_pyg.ops.csr import csr_graph
from crane_pyg.ops.sparse import spmm

CHUNK = 1 << 24  # elements gathered at once: raw features are thousands of channels wide


def unit_rows(x: Tensor) -> Tensor:
    """Divides every row by its length; a row of zeros stays zero, with a gradient of zero.

    Half precision becomes float32. Rows are divided by their largest entry first, so that the
    squares of tiny or huge rows neither vanish nor overflow.

    Shapes:
        - **x** and **output:** ``[n, d]``
    """
    x = x.to(torch.float32 if x.dtype.itemsize < 4 else x.dtype)
    unit: Tensor = _UnitRows.apply(x)  # type: ignore[no-untyped-call]
    return unit


class _UnitRows(torch.autograd.Function):
    """Keeps the result alone for the backward pass, where autograd would keep each step to it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        peak = x.abs().amax(dim=1, keepdim=True)  # [N, 1]; the norm of infinity is slow
        zero = peak == 0
        peak.masked_fill_(zero, 1)
        unit = x / peak
        norm = torch.linalg.vector_norm(unit, dim=1, keepdim=True).masked_fill_(zero, 1)
        unit.div_(norm)
        ctx.save_for_backward(unit, norm, peak, zero)
        return unit

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        unit, norm, peak, zero = ctx.saved_tensors
        grad = torch.addcmul(grad, unit, (unit * grad).sum(dim=1, keepdim=True), value=-1)
        return grad.div_(norm).div_(peak).masked_fill_(zero, 0)


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
    cosine: Tensor = _Products.apply(unit_rows(x), edge_index)  # type: ignore[no-untyped-call]
    return cosine.to(x.dtype)


class _Products(torch.autograd.Function):
    """Inner products of the two ends of every edge; gathers some edges at a time, for the ends of
    all are many times as large as the rows themselves. Its gradient is a sparse product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, edge_index: Tensor) -> Tensor:
        ctx.save_for_backward(x, edge_index)
        parts = _some_edges(x, edge_index)
        return torch.cat([x[src].mul_(x[dst]).sum(dim=1) for src, dst in parts])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        x, edge_index = ctx.saved_tensors
        graph = csr_graph(edge_index, grad, size=(x.size(0), x.size(0)))
        with torch.autocast(x.device.type, enabled=False):
            return spmm(graph, x) + spmm(graph.transpose(), x), None


def _some_edges(x: Tensor, edge_index: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    step = max(1, CHUNK // max(1, x.size(1)))
    source, target = (torch.split(index, step) for index in edge_index)
    return zip(source, target, strict=True)

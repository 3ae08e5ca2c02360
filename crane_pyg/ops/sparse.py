"""Sparse times dense, with a kept transpose and a gradient for the edge weights.

What PyG and torch lack: ``torch.sparse.mm`` on a CSR matrix sorts the transpose anew in every
backward pass, and ``EdgeIndex.matmul`` indexes with 64 bits and fails in the backward pass of a
rectangular graph.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from crane_pyg.ops.csr import CSRGraph
from crane_pyg.ops.csr_product import csr_product
from crane_pyg.ops.ranges import entries


def spmm(graph: CSRGraph, x: Tensor, rows: Tensor | None = None) -> Tensor:
    r"""Sum weighted messages, :math:`\mathbf{y}_i = \sum_{j \to i} w_{ij} \mathbf{x}_j`.

    Differentiable in ``x`` and in ``graph.weight``. Under ``torch.autocast`` rows are read in half
    precision, and summed in single on a CPU, but for those in double precision.

    Args:
        graph: from :func:`csr_graph`.
        x (Tensor): ``[num_src, d]``.
        rows (Tensor, optional): ``[n]``, the distinct destinations whose sums are wanted. On a CPU
            the edges of others are then not walked, and backward they all read the same row.
            (default: all, in their order)

    Returns:
        ``[num_dst, d]`` or ``[n, d]``.

    Raises:
        ValueError: if the rows of ``x`` are not the graph's sources, or ``rows`` are not distinct.

    Examples:
        >>> import torch
        >>> from crane_pyg.ops import csr_graph, spmm
        >>> graph = csr_graph(torch.tensor([[0, 2, 1], [0, 0, 1]]), size=(3, 2))
        >>> spmm(graph, torch.eye(3))
        tensor([[1., 0., 1.],
                [0., 1., 0.]])
        >>> spmm(graph, torch.eye(3), rows=torch.tensor([1]))
        tensor([[0., 1., 0.]])
    """
    x = x.to(_dtype(x))
    if rows is None:
        return csr_product(x, *_of_product(graph, x))
    if not _can_skip(x):
        return rows_of(spmm(graph, x), rows)
    return csr_product(x, *_of_rows(graph, x, rows))[:-1]


def spmm_and_read(
    graph: CSRGraph, x: Tensor, read: Tensor, rows: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """:func:`spmm`, and some rows of ``x`` itself.

    Indexing ``x`` beside a product costs passes over all of it backward: one to fill a gradient
    with zeros, one to add it to the product's. Here the rows are added in their place.

    Args:
        graph, x, rows: as :func:`spmm` takes them.
        read (Tensor): ``[m]``, which rows of ``x``.

    Returns:
        what :func:`spmm` returns, and ``[m, d]``.

    Raises:
        ValueError: as :func:`spmm` does.

    Examples:
        >>> import torch
        >>> from crane_pyg.ops import csr_graph, spmm_and_read
        >>> graph = csr_graph(torch.tensor([[0, 2, 1], [0, 0, 1]]), size=(3, 2))
        >>> spmm_and_read(graph, torch.eye(3), read=torch.tensor([2]))
        (tensor([[1., 0., 1.],
                [0., 1., 0.]]), tensor([[0., 0., 1.]]))
    """
    if graph.weight.requires_grad:
        return spmm(graph, x, rows), x.index_select(0, read)
    if rows is None or not _can_skip(x):
        out, found = _product_and_rows(x, read, *_of_product(graph, x))
        return rows_of(out, rows), found
    out, found = _product_and_rows(x, read, *_of_rows(graph, x, rows))
    return out[:-1], found


def rows_of(x: Tensor, rows: Tensor | None) -> Tensor:
    """Some rows of a matrix, or all of it.

    Args:
        x (Tensor): the matrix.
        rows (Tensor, optional): which rows.
    """
    return x if rows is None else x.index_select(0, rows)


def _dtype(x: Tensor) -> torch.dtype:
    """In which a product reads its rows: as ``torch.mm``, under autocast in half precision."""
    kind = x.device.type
    is_cast = torch.is_autocast_enabled(kind) and x.dtype != torch.double
    return torch.get_autocast_dtype(kind) if is_cast else x.dtype


def _can_skip(x: Tensor) -> bool:
    """Not where how many edges some rows have would make the host wait for the device."""
    return not x.is_cuda


_Product = tuple[Tensor | None, Tensor, Tensor, Tensor | None, Tensor, Tensor]


class _ProductAndRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, read: Tensor, *product: Any) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(read, *product)
        ctx.dtype = x.dtype
        return csr_product(x.to(_dtype(x)), *product), x.index_select(0, read)

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_read: Tensor) -> tuple[Tensor | None, ...]:
        read, weight, rowptr, col, weight_t, rowptr_t, col_t = ctx.saved_tensors
        grad_x = csr_product(grad, weight_t, rowptr_t, col_t, weight, rowptr, col).to(ctx.dtype)
        return grad_x.index_add_(0, read, grad_read), *([None] * 7)


_product_and_rows: Callable[..., tuple[Tensor, Tensor]] = _ProductAndRows.apply


def _of_product(graph: CSRGraph, x: Tensor) -> _Product:
    """What ``csr_product`` takes beside ``x``."""
    if x.dim() != 2 or x.size(0) != graph.num_src:
        raise ValueError(f"x must be [{graph.num_src}, d] (got {list(x.shape)})")
    weight = weight_t = None
    if not graph.is_unweighted:
        dtype = _dtype(x)
        weight, weight_t = graph.weight.to(dtype), graph.weight_t.to(dtype)
    return weight, graph.rowptr, graph.col, weight_t, graph.rowptr_t, graph.col_t


def _of_rows(graph: CSRGraph, x: Tensor, rows: Tensor) -> _Product:
    """The same for some destinations, and one more, without edges, that stands for all others in
    the transpose."""
    weight, rowptr, col, weight_t, rowptr_t, col_t = _of_product(graph, x)
    start = rowptr.index_select(0, rows)
    count = rowptr.index_select(0, rows + 1) - start
    edge = entries(start, count)
    ends = F.pad(count.cumsum(0, dtype=torch.int32), (1, 1))
    ends[-1] = edge.numel()
    order = torch.arange(rows.numel(), dtype=torch.int32)
    place = torch.full((graph.num_dst,), rows.numel(), dtype=torch.int32)
    place[rows] = order
    if not torch.equal(place[rows], order):
        raise ValueError(
            f"rows must differ (got {rows.numel()}, {torch.unique(rows).numel()} distinct)"
        )
    weight = None if weight is None else weight.index_select(0, edge)
    return weight, ends, col.index_select(0, edge), weight_t, rowptr_t, place.index_select(0, col_t)

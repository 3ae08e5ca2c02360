"""Sparse times dense, with a kept transpose and a gradient for the edge weights.

What PyG and torch lack: ``torch.sparse.mm`` on a CSR matrix sorts the transpose anew in every
backward pass, and ``EdgeIndex.matmul`` indexes with 64 bits and fails in the backward pass of a
rectangular graph.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from crane_pyg.ops.csr_product import csr_product, expand
from crane_pyg.ops.ranges import entries


class CSRGraph(NamedTuple):
    """Weighted directed edges, sorted by destination, with the transpose kept beside them.

    Shapes:
        - ``rowptr`` ``[num_dst + 1]``, ``col`` ``[E]`` (sources), ``weight`` ``[E]``
        - ``rowptr_t`` ``[num_src + 1]``, ``col_t`` ``[E]`` (destinations)
        - ``perm_t`` ``[E]`` int32: position in ``weight`` of each edge of the transpose
        - ``weight_t`` ``[E]``: the weights in that order, without gradient

    Examples:
        >>> import torch
        >>> from crane_pyg.ops import CSRGraph, csr_graph
        >>> graph = csr_graph(torch.tensor([[0, 2, 1], [0, 0, 1]]), size=(3, 2))
        >>> isinstance(graph, CSRGraph), graph.num_src, graph.num_dst
        (True, 3, 2)
        >>> graph.in_degree
        tensor([2, 1], dtype=torch.int32)
        >>> graph.transpose().edge_index  # sources first
        tensor([[0, 1, 0],
                [0, 1, 2]])
    """

    rowptr: Tensor
    col: Tensor
    weight: Tensor
    rowptr_t: Tensor
    col_t: Tensor
    perm_t: Tensor
    weight_t: Tensor

    @property
    def num_src(self) -> int:
        return self.rowptr_t.numel() - 1

    @property
    def num_dst(self) -> int:
        return self.rowptr.numel() - 1

    @property
    def edge_index(self) -> Tensor:
        """``[2, E]`` int64, sources first, in the order of :obj:`weight`."""
        return torch.stack([self.col, self.dst]).long()

    @property
    def dst(self) -> Tensor:
        """``[E]`` destination of each edge."""
        return expand(self.rowptr, self.col.numel())

    @property
    def in_degree(self) -> Tensor:
        """``[num_dst]`` number of incoming edges."""
        return self.rowptr.diff()

    def transpose(self) -> "CSRGraph":
        """The same edges in the other direction."""
        inverse = torch.empty_like(self.perm_t)
        place = torch.arange(inverse.numel(), dtype=inverse.dtype, device=inverse.device)
        inverse[self.perm_t] = place
        weight_t = self.weight[self.perm_t]
        flipped = (self.rowptr_t, self.col_t, weight_t, self.rowptr, self.col, inverse)
        return CSRGraph(*flipped, self.weight.detach())

    def with_weight(self, weight: Tensor) -> "CSRGraph":
        """The same edges with other weights ``[E]``."""
        return self._replace(weight=weight, weight_t=weight.detach()[self.perm_t])

    def unweighted(self) -> "CSRGraph":
        """The same edges with weights of one."""
        ones = self.weight.new_ones(()).expand_as(self.weight)
        return self._replace(weight=ones, weight_t=ones)

    @property
    def is_unweighted(self) -> bool:
        """Whether this is what :meth:`unweighted` returned: one number stands for all weights."""
        return self.weight.stride() == (0,)

    def select(self, mask: Tensor) -> "CSRGraph":
        """The edges where ``mask`` ``[E]`` is true, between the same nodes."""
        position = mask.cumsum(0, dtype=self.perm_t.dtype) - 1
        mask_t = mask[self.perm_t]
        return CSRGraph(
            _subset_ptr(self.rowptr, mask),
            self.col[mask],
            self.weight[mask],
            _subset_ptr(self.rowptr_t, mask_t),
            self.col_t[mask_t],
            position[self.perm_t[mask_t]],
            self.weight_t[mask_t],
        )


def csr_graph(
    edge_index: Tensor, edge_weight: Tensor | None = None, *, size: tuple[int, int]
) -> CSRGraph:
    """Sort edges once, for any number of products.

    Args:
        edge_index (Tensor): ``[2, E]``, sources first.
        edge_weight (Tensor, optional): ``[E]``, differentiable; ones by default.
        size: number of sources and of destinations.

    Raises:
        ValueError: if an index lies outside ``size`` or the shapes do not match.
    """
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(f"edge_index must be [2, E] (got {list(edge_index.shape)})")
    if edge_weight is not None and edge_weight.shape != edge_index.shape[1:]:
        raise ValueError(
            f"edge_weight must be [{edge_index.size(1)}] (got {list(edge_weight.shape)})"
        )
    for name, index, count in zip(("source", "destination"), edge_index, size, strict=True):
        if index.numel() == 0:
            continue
        low, high = int(index.min()), int(index.max())
        if low < 0 or high >= count:
            raise ValueError(f"{name} indices must lie in [0, {count}) (got {low}..{high})")
    src, dst = edge_index
    num_src, num_dst = size
    if edge_weight is None:
        edge_weight = torch.ones(src.numel(), device=src.device)
    order = torch.argsort(dst * num_src + src)
    order_t = torch.argsort(src * num_dst + dst)
    rank = torch.empty(order.numel(), dtype=torch.int32, device=order.device)
    rank[order] = torch.arange(order.numel(), dtype=torch.int32, device=order.device)
    return CSRGraph(
        _compress(dst, num_dst),
        src[order].int(),
        edge_weight[order],
        _compress(src, num_src),
        dst[order_t].int(),
        rank[order_t],
        edge_weight.detach()[order_t],
    )


def spmm(graph: CSRGraph, x: Tensor, rows: Tensor | None = None) -> Tensor:
    r"""Sum weighted messages, :math:`\mathbf{y}_i = \sum_{j \to i} w_{ij} \mathbf{x}_j`.

    Differentiable in ``x`` and in ``graph.weight``.

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


def _can_skip(x: Tensor) -> bool:
    """Not where how many edges some rows have would make the host wait for the device."""
    return not x.is_cuda


_Product = tuple[Tensor | None, Tensor, Tensor, Tensor | None, Tensor, Tensor]


class _ProductAndRows(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, read: Tensor, *product: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(read, *product)
        return csr_product(x, *product), x.index_select(0, read)

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_read: Tensor) -> tuple[Tensor | None, ...]:
        read, weight, rowptr, col, weight_t, rowptr_t, col_t = ctx.saved_tensors
        grad_x = csr_product(grad, weight_t, rowptr_t, col_t, weight, rowptr, col)
        return grad_x.index_add_(0, read, grad_read), *([None] * 7)


_product_and_rows: Callable[..., tuple[Tensor, Tensor]] = _ProductAndRows.apply


def _of_product(graph: CSRGraph, x: Tensor) -> _Product:
    """What ``csr_product`` takes beside ``x``."""
    if x.dim() != 2 or x.size(0) != graph.num_src:
        raise ValueError(f"x must be [{graph.num_src}, d] (got {list(x.shape)})")
    weight = weight_t = None
    if not graph.is_unweighted:
        weight, weight_t = graph.weight.to(x.dtype), graph.weight_t.to(x.dtype)
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


def _compress(index: Tensor, size: int) -> Tensor:
    ptr = torch.zeros(size + 1, dtype=torch.int32, device=index.device)
    ptr[1:] = torch.bincount(index, minlength=size).cumsum(0)
    return ptr


def _subset_ptr(ptr: Tensor, mask: Tensor) -> Tensor:
    kept = torch.zeros(mask.numel() + 1, dtype=torch.int32, device=mask.device)
    kept[1:] = mask.cumsum(0)
    return kept[ptr.long()]

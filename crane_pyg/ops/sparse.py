"""Sparse times dense, with a kept transpose and a gradient for the edge weights.

What PyG and torch lack: ``torch.sparse.mm`` on a CSR matrix sorts the transpose anew in every
backward pass, and ``EdgeIndex.matmul`` indexes with 64 bits and fails in the backward pass of a
rectangular graph. On a CPU the 32-bit product with a kept transpose is about a third faster than
the latter.
"""

import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_CHUNK = 1 << 22  # elements gathered at once for the weight gradient


class CSRGraph(NamedTuple):
    """Weighted directed edges, sorted by destination, with the transpose kept beside them.

    Shapes:
        - ``rowptr`` ``[num_dst + 1]``, ``col`` ``[E]`` (sources), ``weight`` ``[E]``
        - ``rowptr_t`` ``[num_src + 1]``, ``col_t`` ``[E]`` (destinations)
        - ``perm_t`` ``[E]``: position in ``weight`` of each edge of the transpose
        - ``weight_t`` ``[E]``: the weights in that order, without gradient
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
        return _expand(self.rowptr)

    @property
    def in_degree(self) -> Tensor:
        """``[num_dst]`` number of incoming edges."""
        return self.rowptr.diff()

    def transpose(self) -> "CSRGraph":
        """The same edges in the other direction."""
        inverse = torch.empty_like(self.perm_t)
        inverse[self.perm_t] = torch.arange(inverse.numel(), device=inverse.device)
        weight_t = self.weight[self.perm_t]
        flipped = (self.rowptr_t, self.col_t, weight_t, self.rowptr, self.col, inverse)
        return CSRGraph(*flipped, self.weight.detach())

    def with_weight(self, weight: Tensor) -> "CSRGraph":
        """The same edges with other weights ``[E]``."""
        return self._replace(weight=weight, weight_t=weight.detach()[self.perm_t])

    def unweighted(self) -> "CSRGraph":
        """The same edges with weights of one."""
        ones = torch.ones_like(self.weight)
        return self._replace(weight=ones, weight_t=ones)

    def select(self, mask: Tensor) -> "CSRGraph":
        """The edges where ``mask`` ``[E]`` is true, between the same nodes."""
        position = mask.cumsum(0) - 1
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
    rank = torch.empty_like(order)
    rank[order] = torch.arange(order.numel(), device=order.device)
    return CSRGraph(
        _compress(dst, num_dst),
        src[order].int(),
        edge_weight[order],
        _compress(src, num_src),
        dst[order_t].int(),
        rank[order_t],
        edge_weight.detach()[order_t],
    )


def spmm(graph: CSRGraph, x: Tensor) -> Tensor:
    r"""Sum weighted messages, :math:`\mathbf{y}_i = \sum_{j \to i} w_{ij} \mathbf{x}_j`.

    Differentiable in ``x`` and in ``graph.weight``.

    Args:
        graph: from :func:`csr_graph`.
        x (Tensor): ``[num_src, d]``.

    Returns:
        ``[num_dst, d]``.

    Raises:
        ValueError: if the rows of ``x`` are not the graph's sources.
    """
    if x.dim() != 2 or x.size(0) != graph.num_src:
        raise ValueError(f"x must be [{graph.num_src}, d] (got {list(x.shape)})")
    out: Tensor = _SpMM.apply(  # type: ignore[no-untyped-call]
        graph.weight.to(x.dtype),
        x,
        graph.rowptr,
        graph.col,
        graph.rowptr_t,
        graph.col_t,
        graph.weight_t.to(x.dtype),
    )
    return out


class _SpMM(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        weight: Tensor,
        x: Tensor,
        rowptr: Tensor,
        col: Tensor,
        rowptr_t: Tensor,
        col_t: Tensor,
        weight_t: Tensor,
    ) -> Tensor:
        ctx.save_for_backward(
            x if weight.requires_grad else None, rowptr, col, rowptr_t, col_t, weight_t
        )
        return _product(rowptr, col, weight, x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, rowptr, col, rowptr_t, col_t, weight_t = ctx.saved_tensors
        grad_weight = grad_x = None
        if ctx.needs_input_grad[0]:
            dst = _expand(rowptr)
            step = max(1, _CHUNK // max(1, grad.size(1)))
            edges = zip(torch.split(dst, step), torch.split(col, step), strict=True)
            grad_weight = torch.cat([(grad[d] * x[s]).sum(1) for d, s in edges])
        if ctx.needs_input_grad[1]:
            grad_x = _product(rowptr_t, col_t, weight_t, grad)
        return grad_weight, grad_x, None, None, None, None, None


def _product(rowptr: Tensor, col: Tensor, weight: Tensor, x: Tensor) -> Tensor:
    if not x.is_cuda and x.dtype in (torch.bfloat16, torch.float16):  # what autocast makes
        # The CPU has no such product, and sums of many are better in single precision.
        return _product(rowptr, col, weight.float(), x.float()).to(x.dtype)
    # Into a given output: torch's `mm` fills and copies one of its own, half of its time on a CPU.
    out = x.new_empty(rowptr.numel() - 1, x.size(1))
    if col.numel() == 0:  # which cuSPARSE refuses, as more edges than there are pairs
        return out.zero_()
    if x.is_cuda and col.numel() > out.size(0) * x.size(0):
        return out.zero_().index_add_(0, _expand(rowptr), weight.unsqueeze(1) * x[col])
    return torch.addmm(out, _csr(rowptr, col, weight, x.size(0)), x, beta=0, out=out)


def _csr(rowptr: Tensor, col: Tensor, weight: Tensor, num_cols: int) -> Tensor:
    return torch.sparse_csr_tensor(
        rowptr, col, weight, size=(rowptr.numel() - 1, num_cols), check_invariants=False
    )


# torch warns once a process that CSR is in beta: not the user's concern.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    _csr(torch.tensor([0, 0]), torch.tensor([], dtype=torch.long), torch.tensor([]), 1)


def _compress(index: Tensor, size: int) -> Tensor:
    ptr = torch.zeros(size + 1, dtype=torch.int32, device=index.device)
    ptr[1:] = torch.bincount(index, minlength=size).cumsum(0)
    return ptr


def _expand(ptr: Tensor) -> Tensor:
    rows = torch.arange(ptr.numel() - 1, device=ptr.device, dtype=ptr.dtype)
    return rows.repeat_interleave(ptr.diff())


def _subset_ptr(ptr: Tensor, mask: Tensor) -> Tensor:
    kept = torch.zeros(mask.numel() + 1, dtype=torch.int32, device=mask.device)
    kept[1:] = mask.cumsum(0)
    return kept[ptr.long()]

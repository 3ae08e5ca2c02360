"""Edges in compressed rows, in both directions."""

from typing import NamedTuple

import torch
from torch import Tensor

from crane_pyg.ops.csr_product import expand


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
        weight_t, perm = self.weight[self.perm_t], _inverse(self.perm_t)
        flipped = (self.rowptr_t, self.col_t, weight_t, self.rowptr, self.col, perm)
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
    key = src * num_dst + dst
    is_sorted = bool((key[1:] >= key[:-1]).all())  # as data sets come, as a rule
    order_t = (
        torch.arange(key.numel(), device=key.device) if is_sorted else key.argsort(stable=True)
    )
    col_t = dst[order_t].int()
    perm = col_t.argsort(stable=True)
    order = order_t[perm]
    return CSRGraph(
        _compress(dst, num_dst),
        src[order].int(),
        edge_weight[order],
        _compress(src, num_src),
        col_t,
        _inverse(perm),
        edge_weight.detach()[order_t],
    )


def _inverse(perm: Tensor) -> Tensor:
    """Where each place of a permutation went, int32."""
    inverse = torch.empty_like(perm, dtype=torch.int32)
    inverse[perm] = torch.arange(perm.numel(), dtype=torch.int32, device=perm.device)
    return inverse


def _compress(index: Tensor, size: int) -> Tensor:
    ptr = torch.zeros(size + 1, dtype=torch.int32, device=index.device)
    ptr[1:] = torch.bincount(index, minlength=size).cumsum(0)
    return ptr


def _subset_ptr(ptr: Tensor, mask: Tensor) -> Tensor:
    kept = torch.zeros(mask.numel() + 1, dtype=torch.int32, device=mask.device)
    kept[1:] = mask.cumsum(0)
    return kept[ptr.long()]

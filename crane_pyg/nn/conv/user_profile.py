from typing import Any

import torch
from torch import Tensor
from torch.nn import Linear
from torch_geometric.nn.aggr import AttentionalAggregation
from torch_geometric.typing import Adj, OptTensor, Size
from torch_geometric.utils import is_sparse, to_edge_index

from crane_pyg.nn.conv.weighted_sum import WeightedSum
from crane_pyg.ops import CSRGraph

AGGREGATIONS = ("sum", "mean", "max", "attention", "sqrt")


class UserProfile(WeightedSum):
    r"""A user described by the items they took (eq. 5, eq. 16 and Table 6).

    .. math::
        \mathbf{x}_u = \bigoplus_{i \in \mathcal{N}(u)} \mathbf{x}_i

    A linear map without bias commutes with ``sum``, ``mean`` and ``sqrt``: project the items first,
    where they are few and their features wide.

    Args:
        aggr: ``'sum'`` (the paper's letter), ``'mean'``, ``'max'``, ``'attention'`` (a softmax over the
            user's items of a learned score) or ``'sqrt'``, the sum divided by
            :math:`\sqrt{|\mathcal{N}(u)|}`. (default: ``'sum'``)
        channels (int, optional): width of the items; ``'attention'`` needs it.
        **kwargs: of :class:`torch_geometric.nn.conv.MessagePassing`.

    Shapes:
        - **x:** items ``[N, d]``
        - **edge_index:** item-to-user edges, in any form that :class:`~crane_pyg.nn.WeightedSum`
          takes; weights other than one are refused
        - **mask:** ``[N]`` bool, items that count (default: all)
        - **output:** ``[M, d]``; a user without any item that counts gets zeros

    Raises:
        ValueError: if the aggregation is unknown or ``'attention'`` comes without :obj:`channels`.
    """

    def __init__(self, aggr: str = "sum", channels: int | None = None, **kwargs: Any) -> None:
        if aggr not in AGGREGATIONS:
            raise ValueError(f"aggr must be one of {', '.join(AGGREGATIONS)} (got {aggr!r})")
        if aggr == "attention" and channels is None:
            raise ValueError("aggr='attention' needs the width of the items (got channels=None)")
        inner: Any = {"max": "max"}.get(aggr, "sum")
        if aggr == "attention":
            assert channels is not None
            inner = AttentionalAggregation(gate_nn=Linear(channels, 1))
        super().__init__(inner, **kwargs)
        self.profile = aggr
        self.channels = channels
        self.reset_parameters()

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        edge_index: Adj | CSRGraph,
        num_users: int | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        if self.profile in ("max", "attention"):
            return self._gather(x, edge_index, num_users, mask)
        size: Size = None if num_users is None else (x.size(0), num_users)
        if mask is not None:
            x = x * mask.unsqueeze(1)
        out = super().forward((x, None), edge_index, size=size)
        if self.profile == "sum":
            return out
        count = self._count(x, edge_index, size, mask)
        return out / (count if self.profile == "mean" else count.sqrt())

    def _count(
        self, x: Tensor, edge_index: Adj | CSRGraph, size: Size, mask: Tensor | None
    ) -> Tensor:
        if mask is None and isinstance(edge_index, CSRGraph):
            return edge_index.in_degree.clamp(min=1).to(x.dtype).unsqueeze(1)
        ones = x.new_ones(x.size(0)) if mask is None else mask.to(x.dtype)
        return super().forward((ones.unsqueeze(1), None), edge_index, size=size).clamp(min=1)

    def _gather(
        self, x: Tensor, edge_index: Adj | CSRGraph, num_users: int | None, mask: Tensor | None
    ) -> Tensor:
        if isinstance(edge_index, CSRGraph):
            num_users, edge_index = edge_index.num_dst, edge_index.edge_index
        elif is_sparse(edge_index):
            num_users = edge_index.size(0)
            edge_index = to_edge_index(edge_index)[0].flip(0)
        if mask is not None:
            edge_index = edge_index[:, mask[edge_index[0]]]
        if num_users is None:
            num_users = int(edge_index[1].max()) + 1 if edge_index.numel() else 0
        edge_index = torch.Tensor.as_subclass(edge_index, torch.Tensor)
        return self.propagate(
            edge_index, x=(x, None), edge_weight=None, size=(x.size(0), num_users)
        )

    def __repr__(self) -> str:
        channels = "" if self.channels is None else f", channels={self.channels}"
        return f"{self.__class__.__name__}({self.profile!r}{channels})"

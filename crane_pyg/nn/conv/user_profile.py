from typing import Any, Literal

from torch import Tensor
from torch.nn import Linear
from torch_geometric import EdgeIndex
from torch_geometric.nn.aggr import AttentionalAggregation
from torch_geometric.typing import Adj, SparseTensor
from torch_geometric.utils import is_sparse, to_edge_index

from crane_pyg.choices import check_choice
from crane_pyg.nn.conv.weighted_sum_conv import WeightedSumConv
from crane_pyg.nn.kept import KeptFor
from crane_pyg.ops import CSRGraph, spmm
from crane_pyg.ops.sparse import rows_of

ProfileAggregation = Literal["sum", "mean", "max", "attention", "sqrt"]


class UserProfile(WeightedSumConv):
    r"""A user described by the items they took (eq. 5, eq. 16 and Table 6).

    .. math::
        \mathbf{x}_u = \bigoplus_{i \in \mathcal{N}(u)} \mathbf{x}_i

    A linear map without bias commutes with ``sum``, ``mean`` and ``sqrt``: project the items first,
    where they are few and their features wide.

    Args:
        aggr: ``'sum'`` (as the paper prints it), ``'mean'``, ``'max'``, ``'attention'`` (a softmax
            over the user's items of a learned score) or ``'sqrt'``, the sum divided by
            :math:`\sqrt{|\mathcal{N}(u)|}`. (default: ``'sum'``)
        channels (int, optional): width of the items; ``'attention'`` needs it.
        **kwargs: as :class:`torch_geometric.nn.conv.MessagePassing` takes them.

    Raises:
        ValueError: if the aggregation is unknown, or ``'attention'`` comes without :obj:`channels`.
    """

    def __init__(
        self, aggr: ProfileAggregation = "sum", channels: int | None = None, **kwargs: Any
    ) -> None:
        check_choice("aggr", aggr, ProfileAggregation)
        if aggr == "attention" and channels is None:
            raise ValueError("aggr='attention' needs the width of the items (got channels=None)")
        inner: Any = "max" if aggr == "max" else "sum"
        if aggr == "attention":
            assert channels is not None
            inner = AttentionalAggregation(gate_nn=Linear(channels, 1))
        super().__init__(inner, **kwargs)
        self.profile = aggr
        self.channels = channels
        self._are_ones: KeptFor[bool] = KeptFor()
        self.reset_parameters()

    @property
    def power(self) -> float | None:
        """By which power of their number the sum over a user's items is divided; ``None`` where a
        profile is no such sum."""
        powers: dict[str, float] = {"sum": 0, "sqrt": 0.5, "mean": 1}
        return powers.get(self.profile)

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        edge_index: Adj | CSRGraph,
        num_users: int | None = None,
        mask: Tensor | None = None,
        rows: Tensor | None = None,
    ) -> Tensor:
        """A profile of each user; one without any item that counts gets zeros.

        Args:
            x (Tensor): features of the items.
            edge_index: item-to-user edges, in any form that
                :class:`~crane_pyg.nn.WeightedSumConv` takes.
            num_users (int, optional): :math:`M`. (default: what the graph says, or one more than
                the largest user in an index that does not know)
            mask (Tensor, optional): items that count; the others may hold anything.
                (default: all)
            rows (Tensor, optional): the distinct users whose profiles are wanted. (default: all)

        Shapes:
            - **x:** ``[N, d]``
            - **edge_index:** ``[2, E]`` or a matrix ``[M, N]``
            - **mask:** ``[N]`` bool
            - **rows:** ``[m]``
            - **output:** ``[M, d]`` or ``[m, d]``

        Raises:
            ValueError: if a weight is not one, or ``num_users`` contradicts the graph.
        """
        self._refuse_weights(edge_index)
        size = (x.size(0), _num_users(edge_index, num_users))
        if self.profile in ("max", "attention"):
            return rows_of(self._gather(x, edge_index, size, mask), rows)
        if mask is not None:
            x = x.masked_fill(~mask.unsqueeze(1), 0)
        if isinstance(edge_index, CSRGraph):
            out = spmm(edge_index, x, rows)
        else:
            out = rows_of(super().forward((x, None), edge_index, size=size), rows)
        if self.profile == "sum":
            return out
        count = rows_of(self._count(x, edge_index, size, mask), rows)
        return out / (count if self.profile == "mean" else count.sqrt())

    def _count(
        self, x: Tensor, edge_index: Adj | CSRGraph, size: tuple[int, int], mask: Tensor | None
    ) -> Tensor:
        if mask is None and isinstance(edge_index, CSRGraph):
            return edge_index.in_degree.clamp(min=1).to(x.dtype).unsqueeze(1)
        ones = x.new_ones(x.size(0)) if mask is None else mask.to(x.dtype)
        return super().forward((ones.unsqueeze(1), None), edge_index, size=size).clamp(min=1)

    def _gather(
        self, x: Tensor, edge_index: Adj | CSRGraph, size: tuple[int, int], mask: Tensor | None
    ) -> Tensor:
        if isinstance(edge_index, CSRGraph):
            edge_index = edge_index.edge_index
        elif is_sparse(edge_index):
            edge_index = to_edge_index(edge_index)[0].flip(0)
        elif isinstance(edge_index, EdgeIndex):
            edge_index = edge_index.as_tensor()  # its fused path would sum
        if mask is not None:
            edge_index = edge_index[:, mask[edge_index[0]]]
        return self.propagate(edge_index, x=(x, None), edge_weight=None, size=size)

    def _refuse_weights(self, edge_index: Adj | CSRGraph) -> None:
        """Checked once for the same tensor: the check makes the host wait for the device."""
        weight: Tensor | None = None
        if isinstance(edge_index, CSRGraph):
            weight = edge_index.weight
        elif isinstance(edge_index, SparseTensor):
            weight = edge_index.storage.value()
        elif is_sparse(edge_index):
            weight = edge_index.values()
        if weight is not None and not self._are_ones((weight,), lambda: bool((weight == 1).all())):
            low, high = weight.min().item(), weight.max().item()
            raise ValueError(f"edge weights must be one in a user profile (got {low:g}..{high:g})")

    def __repr__(self) -> str:
        channels = "" if self.channels is None else f", channels={self.channels}"
        return f"{self.__class__.__name__}({self.profile!r}{channels})"


def _num_users(edge_index: Adj | CSRGraph, given: int | None) -> int:
    known: int | None = None
    if isinstance(edge_index, CSRGraph):
        known = edge_index.num_dst
    elif is_sparse(edge_index):
        known = edge_index.size(0)
    elif isinstance(edge_index, EdgeIndex):
        known = edge_index.sparse_size(1)
    if known is not None:
        if given not in (None, known):
            raise ValueError(f"num_users must be that of the graph, {known} (got {given})")
        return known
    if given is not None:
        return given
    user = edge_index[1]
    return int(user.max()) + 1 if user.numel() else 0

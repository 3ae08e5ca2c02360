from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.kept import KeptFor
from crane_pyg.nn.user_item import item_to_user_graph
from crane_pyg.ops import CSRGraph
from crane_pyg.ops.ranges import ranges
from crane_pyg.schema import USER_TO_ITEM, sizes

_CHUNK = 1 << 14  # interactions whose rows are summed at a time, where rows are sparse


class ItemToItem(torch.nn.Module):
    r"""Base of what scores items by the items that a user took, with weights of item on item.

    .. math::
        \hat{y}_{uj} = \sum_{i \in \mathcal{N}(u)} B_{ij}

    The weights are buffers, empty until :meth:`solve` or until they are loaded, and carry no
    gradient. Users are whoever ``data`` has: nothing is kept of them.

    A subclass of :class:`DenseItemToItem` or :class:`SparseItemToItem` implements :meth:`solve`.

    Args:
        num_items (int): :math:`N`.
    """

    def __init__(self, num_items: int) -> None:
        super().__init__()
        self.num_items = num_items
        self._taken = KeptFor[CSRGraph]()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Forget what was solved for."""
        raise NotImplementedError

    @property
    def solved(self) -> bool:
        """Whether there are weights to score by."""
        raise NotImplementedError

    def solve(self, data: HeteroData) -> None:
        """Find the weights.

        Args:
            data: the graph; its edges from users to items count.
        """
        raise NotImplementedError

    def sharpen(self, power: float) -> None:
        r"""Raise the weights to a power, signs kept: :math:`\operatorname{sign}(B_{ij}) \,
        |B_{ij}|^p`. With more than one the few items that say most are heard above the many.

        Args:
            power (float): :math:`p`.

        Raises:
            ValueError: if ``power`` is not positive.
        """
        if not power > 0:
            raise ValueError(f"power must be positive (got {power})")
        if power != 1:
            self._map(lambda weight: weight.abs().pow_(power).copysign_(weight))

    def _map(self, function: Callable[[Tensor], Tensor]) -> None:
        """Replace the weights by a function of each."""
        raise NotImplementedError

    def taken(self, data: HeteroData) -> CSRGraph:
        """What each user took, as edges from items to users.

        Args:
            data: the graph.
        """
        return self._taken((data[USER_TO_ITEM].edge_index,), lambda: item_to_user_graph(data))

    def forward(self, data: HeteroData, user: Tensor) -> Tensor:
        """The scores of some users, from what they took in training.

        Args:
            data: the graph.
            user (Tensor): users.

        Shapes:
            - **user:** ``[B]``
            - **output:** ``[B, N]``, the caller's to overwrite

        Raises:
            ValueError: if nothing was solved for, or ``data`` has another number of items.
        """
        name = self.__class__.__name__
        if not self.solved:
            raise ValueError(f"{name} must be solved for before it scores (got no weights)")
        if sizes(data)[1] != self.num_items:
            raise ValueError(f"{name} is of {self.num_items} items (got {sizes(data)[1]})")
        taken = self.taken(data)
        row, entry = ranges(taken.rowptr[user].long(), taken.in_degree[user].long())
        return self._sum_rows(row, taken.col[entry].long(), user.numel())

    def _sum_rows(self, row: Tensor, item: Tensor, num_rows: int) -> Tensor:
        """Sums, for each of ``num_rows``, the weights of its items; ``row`` ascends."""
        raise NotImplementedError

    def _fits(self, name: str, shape: torch.Size) -> bool:
        """Whether a buffer may have this shape, solved for or not."""
        raise NotImplementedError

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # How much was solved for is not known before it is read.
        for name, buffer in list(self._buffers.items()):
            value = state_dict.get(prefix + name)
            if buffer is not None and value is not None and self._fits(name, value.shape):
                setattr(self, name, buffer.new_empty(value.shape))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class DenseItemToItem(ItemToItem):
    """Weights as a matrix: ``weight[i, j]`` is what having taken ``i`` says for ``j``."""

    weight: Tensor

    def reset_parameters(self) -> None:
        self.register_buffer("weight", torch.empty(0, 0))

    @property
    def solved(self) -> bool:
        return self.weight.numel() > 0

    def _map(self, function: Callable[[Tensor], Tensor]) -> None:
        self.weight = function(self.weight)

    def _sum_rows(self, row: Tensor, item: Tensor, num_rows: int) -> Tensor:
        first = torch.searchsorted(row, torch.arange(num_rows, device=row.device))
        return F.embedding_bag(item, self.weight, first, mode="sum")

    def _fits(self, name: str, shape: torch.Size) -> bool:
        return tuple(shape) in {(0, 0), (self.num_items, self.num_items)}


class SparseItemToItem(ItemToItem):
    """Weights as the rows of a sparse matrix: ``col[rowptr[i] : rowptr[i + 1]]`` are the items that
    having taken ``i`` speaks for, ``value`` how much."""

    rowptr: Tensor
    col: Tensor
    value: Tensor

    def reset_parameters(self) -> None:
        self.register_buffer("rowptr", torch.empty(0, dtype=torch.long))
        self.register_buffer("col", torch.empty(0, dtype=torch.long))
        self.register_buffer("value", torch.empty(0))

    @property
    def solved(self) -> bool:
        return self.rowptr.numel() > 0

    def _map(self, function: Callable[[Tensor], Tensor]) -> None:
        self.value = function(self.value)

    @property
    def edge_index(self) -> Tensor:
        """``[2, E]``: edges from items to the items that they speak for, in the order of
        :obj:`value`."""
        source, entry = ranges(self.rowptr[:-1], self.rowptr.diff())
        return torch.stack([source, self.col[entry]])

    def keep(self, edge_index: Tensor, weight: Tensor) -> None:
        """Take edges for the weights.

        Args:
            edge_index (Tensor): ``[2, E]`` distinct edges, from the item taken to the one it speaks
                for.
            weight (Tensor): ``[E]``.
        """
        order = (edge_index[0] * self.num_items + edge_index[1]).argsort()
        count = torch.bincount(edge_index[0], minlength=self.num_items)
        self.rowptr = F.pad(count.cumsum(0), (1, 0))
        self.col, self.value = edge_index[1, order], weight[order]

    def _sum_rows(self, row: Tensor, item: Tensor, num_rows: int) -> Tensor:
        out = self.value.new_zeros(num_rows * self.num_items)
        parts = (torch.split(x, _CHUNK) for x in (row, item))
        for rows, items in zip(*parts, strict=True):
            which, entry = ranges(self.rowptr[items], self.rowptr.diff()[items])
            place = rows[which] * self.num_items + self.col[entry]
            out.index_add_(0, place, self.value[entry])
        return out.view(num_rows, self.num_items)

    def _fits(self, name: str, shape: torch.Size) -> bool:
        return name != "rowptr" or tuple(shape) in {(0,), (self.num_items + 1,)}

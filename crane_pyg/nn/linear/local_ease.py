from collections.abc import Callable

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.linear.base import SparseItemToItem
from crane_pyg.ops import local_ease
from crane_pyg.ops.ease.local import LocalSystems
from crane_pyg.schema import USER_TO_ITEM, sizes


class LocalEASE(SparseItemToItem):
    r""":class:`~crane_pyg.nn.linear.EASE` with few items to explain each.

    Time and memory grow with the items, not with their square and cube, see
    :func:`~crane_pyg.ops.local_ease`.

    Args:
        num_items (int): :math:`N`.
        l2 (float): :math:`\lambda`. (default: ``50``)
        num_neighbors (int): items that explain one. (default: ``100``)
        dropout (float): as :func:`~crane_pyg.ops.ease` takes it. (default: ``0.5``)
        reach (float): where those who took an item have taken fewer of these on average, they
            become up to eight times as many. (default: ``8``)
        damping (float): as :func:`~crane_pyg.ops.ease` takes it. (default: ``0``)

    Raises:
        ValueError: when solving, if ``l2`` or ``num_neighbors`` is not positive, or ``reach``
            or ``damping`` is negative.

    Examples:
        >>> import torch
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.linear import LocalEASE
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> items = LocalEASE(200, num_neighbors=20)
        >>> items.solve(data)
        >>> items(data, torch.tensor([0, 7])).shape  # two users, all items
        torch.Size([2, 200])
    """

    def __init__(
        self,
        num_items: int,
        l2: float = 50.0,
        num_neighbors: int = 100,
        dropout: float = 0.5,
        reach: float = 8.0,
        damping: float = 0.0,
    ) -> None:
        super().__init__(num_items)
        self.l2 = l2
        self.num_neighbors = num_neighbors
        self.dropout = dropout
        self.reach = reach
        self.damping = damping

    @torch.no_grad()
    def solve(self, data: HeteroData, features: Tensor | None = None) -> None:
        """Find the weights.

        Args:
            data: the graph; its edges from users to items count.
            features (Tensor, optional): as :func:`~crane_pyg.ops.local_ease` takes them.

        Shapes:
            - **features:** ``[N, f]``
        """
        edges = local_ease(
            data[USER_TO_ITEM].edge_index,
            sizes(data),
            self.l2,
            self.num_neighbors,
            reach=self.reach,
            dropout=self.dropout,
            damping=self.damping,
            features=features,
        )
        self.keep(*edges)

    def solver(self, data: HeteroData) -> Callable[[Tensor | None], None]:
        """:meth:`solve` for one ridge after another: what none of them changes is read once.

        Args:
            data: the graph.

        Returns:
            a function of the features that finds the weights for today's ``l2`` and ``dropout``.
        """
        edge_index = data[USER_TO_ITEM].edge_index
        few = self.num_neighbors, self.reach, self.damping
        systems = LocalSystems(edge_index, sizes(data), *few)

        @torch.no_grad()
        def solve(features: Tensor | None) -> None:
            self.keep(*systems.solve(self.l2, self.dropout, features))

        return solve

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.num_items}, l2={self.l2:g}, "
            f"num_neighbors={self.num_neighbors}, dropout={self.dropout:g}, reach={self.reach:g}, "
            f"damping={self.damping:g})"
        )

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.linear.base import DenseItemToItem
from crane_pyg.ops import ease
from crane_pyg.schema import USER_TO_ITEM, sizes


class EASE(DenseItemToItem):
    r"""EASE from `"Embarrassingly Shallow Autoencoders for Sparse Data"
    <https://arxiv.org/abs/1905.03375>`_: every item explained by all others, see
    :func:`~crane_pyg.ops.ease`.

    Args:
        num_items (int): :math:`N`.
        l2 (float): :math:`\lambda`. (default: ``300``)
        dropout (float): as :func:`~crane_pyg.ops.ease` takes it. (default: ``0``)
        max_gb (float): memory that solving may take. (default: ``8``)
        damping (float): as :func:`~crane_pyg.ops.ease` takes it. (default: ``0``)

    Raises:
        ValueError: when solving, if more memory would be needed, ``l2`` is not positive or
            ``damping`` is negative.

    Examples:
        >>> import torch
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.linear import EASE
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> items = EASE(200, l2=100.0)
        >>> items.solve(data)
        >>> items(data, torch.tensor([0, 7])).shape  # two users, all items
        torch.Size([2, 200])
    """

    def __init__(
        self,
        num_items: int,
        l2: float = 300.0,
        dropout: float = 0.0,
        max_gb: float = 8.0,
        damping: float = 0.0,
    ) -> None:
        super().__init__(num_items)
        self.l2 = l2
        self.dropout = dropout
        self.max_gb = max_gb
        self.damping = damping

    @torch.no_grad()
    def solve(self, data: HeteroData, features: Tensor | None = None) -> None:
        """Find the weights.

        Args:
            data: the graph; its edges from users to items count.
            features (Tensor, optional): as :func:`~crane_pyg.ops.ease` takes them.

        Shapes:
            - **features:** ``[N, f]``
        """
        self.weight = ease(
            data[USER_TO_ITEM].edge_index,
            sizes(data),
            self.l2,
            dropout=self.dropout,
            damping=self.damping,
            features=features,
            max_gb=self.max_gb,
        )

    def solver(self, data: HeteroData) -> Callable[[Tensor | None], None]:
        """:meth:`solve` for one ridge after another.

        Args:
            data: the graph.

        Returns:
            a function of the features that finds the weights for today's ``l2`` and ``dropout``.
        """
        return partial(self.solve, data)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.num_items}, l2={self.l2:g}, "
            f"dropout={self.dropout:g}, damping={self.damping:g})"
        )

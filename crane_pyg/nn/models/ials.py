from typing import Any, ClassVar

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn.models.solved import SolvedRecommender
from crane_pyg.ops import CSRGraph, alternating_least_squares
from crane_pyg.schema import sizes


class IALS(SolvedRecommender):
    r"""Implicit alternating least squares, from `"Collaborative Filtering for Implicit Feedback
    Datasets" <https://doi.org/10.1109/ICDM.2008.22>`_, as `"Revisiting the Performance of iALS on
    Item Recommendation Benchmarks" <https://arxiv.org/abs/2110.14037>`_ (eq. 1-5) has it.

    .. math::
        \mathcal{L} = \sum_{(u, i) \in \mathcal{S}} (\hat{y}_{ui} - 1)^2
        + \alpha_0 \sum_{u, i} \hat{y}_{ui}^2
        + \lambda \sum_u (d_u + \alpha_0 N)^{\nu} \| \mathbf{e}_u \|^2
        + \lambda \sum_i (d_i + \alpha_0 M)^{\nu} \| \mathbf{e}_i \|^2,
        \qquad \hat{y}_{ui} = \mathbf{e}_u^{\top} \mathbf{e}_i

    A pass solves for all users with the items held fixed, then for all items; training stops where
    validation says so. Users and items without interactions have embeddings of zeros.

    Args:
        num_users, num_items (int): sizes.
        embedding_dim (int): :math:`d`. (default: ``64``)
        l2 (float): :math:`\lambda`. (default: ``0.01``)
        alpha0 (float): :math:`\alpha_0`, weight of all pairs as negatives. (default: ``0.1``)
        nu (float): :math:`\nu`, how the regulariser grows with what there is of a row: 0 as the
            package ``implicit`` has it, 1 the paper's. (default: ``1``)
        std (float): of the initial embeddings, times :math:`1 / \sqrt{d}`. (default: ``0.1``)

    Raises:
        ValueError: if :obj:`l2`, :obj:`alpha0` or :obj:`std` is not positive.
    """

    passes = None
    propagates: ClassVar[bool] = False
    user_embedding: Tensor
    item_embedding: Tensor

    def __init__(
        self,
        num_users: int,
        num_items: int,
        embedding_dim: int = 64,
        l2: float = 0.01,
        alpha0: float = 0.1,
        nu: float = 1.0,
        std: float = 0.1,
    ) -> None:
        super().__init__()
        for name, value in {"l2": l2, "alpha0": alpha0, "std": std}.items():
            if value <= 0:
                raise ValueError(f"{name} must be positive (got {value})")
        self.out_channels = embedding_dim
        self.l2, self.alpha0, self.nu, self.std = l2, alpha0, nu, std
        self.register_buffer("user_embedding", torch.empty(num_users, embedding_dim))
        self.register_buffer("item_embedding", torch.empty(num_items, embedding_dim))
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(*sizes(data), **kwargs)

    def reset_parameters(self) -> None:
        std = self.std / max(1, self.out_channels) ** 0.5
        torch.nn.init.normal_(self.user_embedding, std=std)
        torch.nn.init.normal_(self.item_embedding, std=std)

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        return self.user_embedding, self.item_embedding

    @torch.no_grad()
    def solve(self, data: HeteroData) -> dict[str, Tensor]:
        to_item, to_user = self.user_item_graphs(data)
        user, item = self.user_embedding, self.item_embedding
        user.copy_(alternating_least_squares(to_user, item, self._l2(to_user), self.alpha0))
        item.copy_(alternating_least_squares(to_item, user, self._l2(to_item), self.alpha0))
        return {"loss": self._objective(to_user, self._l2(to_item))}

    def _l2(self, graph: CSRGraph) -> Tensor:
        """The regulariser's weight for each destination."""
        frequency = graph.in_degree + self.alpha0 * graph.num_src
        return self.l2 * frequency.to(self.item_embedding.dtype) ** self.nu

    def _objective(self, to_user: CSRGraph, l2_item: Tensor) -> Tensor:
        user, item = self.user_embedding, self.item_embedding
        score = (user[to_user.dst.long()] * item[to_user.col.long()]).sum(1)
        everywhere = ((user.T @ user) * (item.T @ item)).sum()
        norms = (self._l2(to_user) * user.square().sum(1)).sum()
        norms = norms + (l2_item * item.square().sum(1)).sum()
        return (score - 1).square().sum() + self.alpha0 * everywhere + norms

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.size(0)}, "
            f"{self.item_embedding.size(0)}, {self.out_channels}, l2={self.l2:g}, "
            f"alpha0={self.alpha0:g}, nu={self.nu:g})"
        )

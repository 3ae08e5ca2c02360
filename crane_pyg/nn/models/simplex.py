from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import Embedding, Linear
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn.fold_in import FoldIn, FoldInTerm
from crane_pyg.nn.kept import KeptFor
from crane_pyg.nn.models.recommender import Recommender
from crane_pyg.nn.objectives import (
    L2,
    CosineContrastive,
    Objective,
    RankingLoss,
    RankingName,
    Triplets,
)
from crane_pyg.ops import CSRGraph, dropout, spmm
from crane_pyg.schema import sizes


class SimpleX(Recommender):
    r"""SimpleX from `"SimpleX: A Simple and Strong Baseline for Collaborative Filtering"
    <https://arxiv.org/abs/2109.12613>`_.

    A user is a vector of their own and the mean of the items that they took,

    .. math::
        \mathbf{z}_u = g \, \mathbf{e}_u + (1 - g) \, \mathbf{V}
        \frac{1}{|\mathcal{N}(u)|} \sum_{i \in \mathcal{N}(u)} \mathbf{e}_i, \qquad
        \hat{y}_{ui} = \cos(\mathbf{z}_u, \mathbf{e}_i),

    and learns by :class:`~crane_pyg.nn.objectives.CosineContrastive`, which holds many negatives
    off until they are less similar than a margin. Of the paper's three ways to aggregate this is
    the mean. The paper cuts histories off at some length; here the mean of all items is one sparse
    product.

    Args:
        num_users, num_items (int): sizes.
        embedding_dim (int): :math:`d`. (default: ``64``)
        user_weight (float): :math:`g`. (default: ``0.5``)
        dropout (float): dropout on :math:`\mathbf{z}_u`. (default: ``0.1``)
        l2 (float): weight of the batch's squared embedding norms, which cosines do not need.
            (default: ``0``)
        ranking (RankingLoss, optional): in the place of the cosine contrastive loss.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import SimpleX
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = SimpleX.from_data(data)
        >>> user, item = model(data)
        >>> user.shape, item.shape
        (torch.Size([300, 64]), torch.Size([200, 64]))
    """

    objective: Objective
    tables = ("user_embedding", "item_embedding")
    own_ranking: ClassVar[RankingName] = "ccl"

    def __init__(
        self,
        num_users: int,
        num_items: int,
        embedding_dim: int = 64,
        user_weight: float = 0.5,
        dropout: float = 0.1,
        l2: float = 0.0,
        ranking: RankingLoss | None = None,
    ) -> None:
        super().__init__()
        self.objective = Objective(ranking or CosineContrastive(), regulariser=L2(l2))
        self.out_channels = embedding_dim
        self.user_weight, self.dropout = user_weight, dropout
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.lin = Linear(embedding_dim, embedding_dim, bias=False)  # V
        self._mean = KeptFor[CSRGraph]()
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(*sizes(data), **kwargs)

    def reset_parameters(self) -> None:
        for layer in (self.user_embedding, self.item_embedding, self.lin):
            torch.nn.init.xavier_uniform_(layer.weight)

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        own, item = self.user_embedding.weight, self.item_embedding.weight
        history = self.columns.across(self.lin, spmm(self._mean_of_items(data), item))
        return self.user_weight * own + (1 - self.user_weight) * history, item

    def fold_in(self, data: HeteroData) -> FoldIn:
        history = (1 - self.user_weight) * self.lin(self.item_embedding.weight)
        return FoldIn([FoldInTerm(history, 0, 1)])

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        z_user, z_item = self(data)
        items = torch.stack([pos, neg])
        z_user, z_item, e_user, e_item = self.columns.whole(
            z_user[user], z_item[items], self.user_embedding(user), self.item_embedding(items)
        )
        z_user = dropout(z_user, self.dropout if self.training else 0.0)
        batch = Triplets(z_user, z_item, user, items)
        return self.objective(batch, embeddings=[e_user, *e_item])

    def _mean_of_items(self, data: HeteroData) -> CSRGraph:
        to_user = self.user_item_graphs(data)[1]
        share = to_user.in_degree.clamp(min=1).reciprocal()
        return self._mean((to_user.weight,), lambda: to_user.with_weight(share[to_user.dst]))

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.out_channels}, "
            f"user_weight={self.user_weight})"
        )

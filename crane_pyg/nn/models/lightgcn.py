from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn.conv import light_gcn_propagation, light_gcn_rows
from crane_pyg.nn.fold_in import FoldIn, light_gcn_fold_in
from crane_pyg.nn.models.recommender import Recommender
from crane_pyg.nn.objectives import L2, BPRLoss, Objective, RankingLoss, Triplets
from crane_pyg.ops import distinct
from crane_pyg.schema import sizes


class LightGCN(Recommender):
    r"""LightGCN from `"LightGCN: Simplifying and Powering Graph Convolution Network for
    Recommendation" <https://arxiv.org/abs/2002.02126>`_.

    .. math::
        \mathbf{z} = \frac{1}{L + 1} \sum_{l=0}^{L} (\mathbf{D}^{-1/2} \mathbf{A}
        \mathbf{D}^{-1/2})^l \, \mathbf{e}

    PyG's model of the name takes one homogeneous graph; this one keeps users and items apart, as
    the other models here do, and its products keep the transpose.

    Args:
        num_users, num_items (int): sizes.
        embedding_dim (int): :math:`d`. (default: ``64``)
        num_layers (int): :math:`L`. (default: ``2``)
        l2 (float): weight of the batch's squared embedding norms. (default: ``1e-4``)
        ranking (RankingLoss, optional): in the place of BPR's.
    """

    objective: Objective
    tables = ("user_embedding", "item_embedding")

    def __init__(
        self,
        num_users: int,
        num_items: int,
        embedding_dim: int = 64,
        num_layers: int = 2,
        l2: float = 1e-4,
        ranking: RankingLoss | None = None,
    ) -> None:
        super().__init__()
        self.objective = Objective(ranking or BPRLoss(), regulariser=L2(l2))
        self.out_channels = embedding_dim
        self.num_layers = num_layers
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(*sizes(data), **kwargs)

    def reset_parameters(self) -> None:
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        user, item = self.user_embedding.weight, self.item_embedding.weight
        return light_gcn_propagation(user, item, self.user_item_graphs(data), self.num_layers)

    def fold_in(self, data: HeteroData) -> FoldIn:
        user, item = self.user_embedding.weight, self.item_embedding.weight
        return light_gcn_fold_in(user, item, self.user_item_graphs(data), self.num_layers)

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        items = torch.stack([pos, neg])
        (users, user_row), (some, item_row) = distinct(user), distinct(items)
        tables = self.user_embedding.weight, self.item_embedding.weight
        graphs = self.user_item_graphs(data)
        z_user, z_item, e_user, e_item = light_gcn_rows(
            *tables, graphs, self.num_layers, users, some
        )
        # Gathered side by side: the gradient of a gather costs more than a copy.
        of_users = F.embedding(user_row, torch.cat([z_user, e_user], dim=1)).chunk(2, dim=-1)
        of_items = F.embedding(item_row, torch.cat([z_item, e_item], dim=1)).chunk(2, dim=-1)
        z_user, e_user, z_item, e_item = self.columns.whole(*of_users, *of_items)
        batch = Triplets(z_user, z_item, user, items)
        return self.objective(batch, embeddings=[e_user, *e_item])

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.user_embedding.embedding_dim}, "
            f"num_layers={self.num_layers})"
        )

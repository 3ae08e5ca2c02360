from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding, Linear
from torch_geometric.data import HeteroData
from torch_geometric.nn.inits import reset
from typing_extensions import Self

from crane_pyg.nn.by_modality import ByModality
from crane_pyg.nn.conv import light_gcn_propagation
from crane_pyg.nn.fold_in import FoldIn, light_gcn_fold_in
from crane_pyg.nn.graphs import DegreeThinning, FrozenItemGraph, ItemGraph, modality_shares
from crane_pyg.nn.item_features import ItemFeatures
from crane_pyg.nn.models.recommender import Recommender
from crane_pyg.nn.objectives import BPRLoss, Objective, RankingLoss, Triplets, bpr_loss
from crane_pyg.ops import spmm
from crane_pyg.schema import modalities, sizes


class FREEDOM(Recommender):
    r"""FREEDOM from `"A Tale of Two Graphs: Freezing and Denoising Graph Structures for Multimodal
    Recommendation" <https://arxiv.org/abs/2211.06924>`_.

    LightGCN on a user-item graph that is thinned out anew each epoch, with each item's neighbours
    in a frozen item-item graph :math:`\mathbf{S}` added to it.

    .. math::
        \mathbf{z}_u &= \frac{1}{L + 1} \sum_{l=0}^{L} \mathbf{e}_u^{(l)}, \qquad
        \mathbf{z}_i = \frac{1}{L + 1} \sum_{l=0}^{L} \mathbf{e}_i^{(l)}
        + (\mathbf{S}^{L_{II}} \mathbf{e}^{(0)})_i

        \mathcal{L} &= \mathrm{BPR}(\mathbf{z}_u^{\top} \mathbf{z}_i)
        + \lambda \sum_m \mathrm{BPR}(\mathbf{z}_u^{\top} \mathbf{W}_m \mathbf{x}_i^m)

    The reading is that of the authors' code, which is the common toolbox's too: a share
    :attr:`drop_ratio` of the edges is dropped in training only, those between busy nodes first,
    and the rest are weighed by the degrees they leave; an item is among its own :math:`k`
    neighbours, all of equal weight; nothing is regularised. Their projections have a bias, which
    cancels in BPR, and their features train along (:attr:`trainable_features`).

    Args:
        num_users, num_items (int): sizes.
        modalities (dict): width of the features of each modality, by name.
        embedding_dim (int): :math:`d`. (default: ``64``)
        num_layers (int): :math:`L`. (default: ``2``)
        num_item_layers (int): :math:`L_{II}`. (default: ``1``)
        k (int): neighbours of each item in each modality. (default: ``10``)
        visual_share (float): weight in :math:`\mathbf{S}` of the modality called ``visual`` or
            ``image``; the others share the rest. (default: ``0.1``)
        drop_ratio (float): share of the edges to drop, in [0, 1); the authors search 0.8 and 0.9.
            (default: ``0.8``)
        feature_weight (float): :math:`\lambda`; they search 0, 1e-5, 1e-4 and 1e-3.
            (default: ``1e-3``)
        trainable_features (bool): :math:`\mathbf{x}^m` are parameters, which :meth:`from_data`
            fills; :math:`\mathbf{S}` stays on the data's. (default: ``False``)
        item_graph (ItemGraph, optional): in the place of :math:`\mathbf{S}`.
        ranking (RankingLoss, optional): in the place of BPR's, but for the features' term.

    Raises:
        ValueError: if there is no modality, or the ratio is out of range.
    """

    objective: Objective
    tables = ("user_embedding", "item_embedding")

    def __init__(
        self,
        num_users: int,
        num_items: int,
        modalities: Mapping[str, int],
        embedding_dim: int = 64,
        *,
        num_layers: int = 2,
        num_item_layers: int = 1,
        k: int = 10,
        visual_share: float = 0.1,
        drop_ratio: float = 0.8,
        feature_weight: float = 1e-3,
        trainable_features: bool = False,
        item_graph: ItemGraph | None = None,
        ranking: RankingLoss | None = None,
    ) -> None:
        super().__init__()
        self.objective = Objective(ranking or BPRLoss())
        self.out_channels = embedding_dim
        self.num_layers = num_layers
        self.num_item_layers = num_item_layers
        self.feature_weight = feature_weight
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.features = ItemFeatures(num_items, modalities, trainable_features)
        self.lin = ByModality(
            {m: Linear(width, embedding_dim, bias=False) for m, width in modalities.items()}
        )
        self.item_graph = item_graph or FrozenItemGraph(
            modality_shares(modalities, visual_share), k
        )
        self.thinning = DegreeThinning("multinomial", drop_ratio, degrees="sampled")
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        model = cls(*sizes(data), modalities(data), **kwargs)
        model.features.start_from(data)
        model.item_graph.warm_start(data)
        return model

    def reset_parameters(self) -> None:
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        reset(self.lin)
        self.item_graph.reset_parameters()

    def start_epoch(self, data: HeteroData) -> None:
        self.thinning.start_epoch()
        self.item_graph.start_epoch()

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        graphs = self.thinning(self.user_item_graphs(data))
        e_user, e_item = self.user_embedding.weight, self.item_embedding.weight
        z_user, z_item = light_gcn_propagation(e_user, e_item, graphs, self.num_layers)
        similar, h = self.columns.graph(self.item_graph(data)), e_item
        for _ in range(self.num_item_layers):
            h = spmm(similar, h)
        return z_user, z_item + h

    def fold_in(self, data: HeteroData) -> FoldIn:
        user, item = self.user_embedding.weight, self.item_embedding.weight
        return light_gcn_fold_in(user, item, self.user_item_graphs(data), self.num_layers)

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        z_user, z_item = self(data)
        items = torch.stack([pos, neg])
        z_user, z_item = self.columns.whole(z_user[user], z_item[items])
        terms = self.objective(Triplets(z_user, z_item, user, items))
        if self.feature_weight > 0:
            losses = [self._modality_bpr(data, m, z_user, pos, neg) for m in self.lin]
            terms["modality"] = self.feature_weight * torch.stack(losses).sum()
        return terms

    def _modality_bpr(
        self, data: HeteroData, modality: str, z_user: Tensor, pos: Tensor, neg: Tensor
    ) -> Tensor:
        """Pairs of which an item lacks the modality count as zero."""
        x, mask = self.features(data, modality), data["item"][f"{modality}_mask"]
        # What BPR compares is linear in x: gather the batch, subtract, then project once.
        difference = self.lin[modality](F.embedding(pos, x) - F.embedding(neg, x))
        margin = (z_user * difference).sum(-1)
        loss = bpr_loss(margin, torch.zeros_like(margin), reduction="none")
        return loss.masked_fill(~(mask[pos] & mask[neg]), 0).mean()

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.user_embedding.embedding_dim}, "
            f"num_layers={self.num_layers}, num_item_layers={self.num_item_layers}, "
            f"features={self.features})"
        )

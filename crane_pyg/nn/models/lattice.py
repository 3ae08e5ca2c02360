from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Embedding, Linear, ModuleDict, Parameter
from torch_geometric.data import HeteroData
from torch_geometric.nn.inits import reset
from typing_extensions import Self

from crane_pyg.nn.frozen_item_graph import Edges, FrozenItemGraph, sum_edges
from crane_pyg.nn.item_features import ItemFeatures
from crane_pyg.nn.models.recommender import Preset, Recommender, l2_of_batch
from crane_pyg.nn.objectives import bpr_loss
from crane_pyg.ops import CSRGraph, csr_graph, edge_cosine, knn_graph, spmm, unit_rows
from crane_pyg.schema import modalities
from crane_pyg.transforms import symmetric_norm


class LATTICE(Recommender):
    r"""LATTICE from `"Mining Latent Structures for Multimedia Recommendation"
    <https://arxiv.org/abs/2104.09036>`_.

    LightGCN, with each item's neighbours in a learned item-item graph added to it.

    .. math::
        \mathbf{S} &= \lambda \sum_m \alpha_m \mathcal{L}(\mathrm{knn}(\mathbf{x}^m))
        + (1 - \lambda) \, \mathcal{L} \Big( \sum_m \alpha_m
        \mathrm{knn}(\mathbf{W}_m \mathbf{x}^m + \mathbf{b}_m) \Big)

        \mathbf{z}_i &= \frac{1}{L + 1} \sum_{l=0}^{L} \mathbf{e}_i^{(l)}
        + \frac{(\mathbf{S}^{L_{II}} \mathbf{e}^{(0)})_i}
        {\| (\mathbf{S}^{L_{II}} \mathbf{e}^{(0)})_i \|}

    with knn the cosines of the :math:`k` nearest, an item among its own, :math:`\mathcal{L}` the
    symmetric Laplacian and :math:`\alpha` a softmax. The reading is that of the authors' code,
    which is the common toolbox's too: LightGCN passes over
    :math:`\mathbf{D}^{-1} (\mathbf{A} + \mathbf{I})` where the paper has its Laplacian; the graph
    is rebuilt in the first batch of an epoch, the only one whose gradient reaches
    :math:`\mathbf{W}`, and for each evaluation; L2 is on the batch's :math:`\mathbf{z}`. Both keep
    dense item-by-item matrices and let the features train (:attr:`trainable_features`).

    Args:
        num_users, num_items (int): sizes.
        modalities (dict): width of the features of each modality, by name.
        embedding_dim (int): :math:`d`. (default: ``64``)
        num_layers (int): :math:`L`; 0 is matrix factorisation. (default: ``2``)
        num_item_layers (int): :math:`L_{II}`. (default: ``1``)
        k (int): neighbours of each item in each modality. (default: ``10``)
        skip (float): :math:`\lambda`, weight of the graph of the raw features. (default: ``0.9``)
        feature_dim (int): rows of :math:`\mathbf{W}`. (default: ``64``)
        l2 (float): weight of the squared norms. (default: ``1e-5``)
        trainable_features (bool): :math:`\mathbf{x}^m` are parameters in the learned part, which
            :meth:`from_data` fills. (default: ``False``)

    Raises:
        ValueError: if there is no modality.
    """

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
        skip: float = 0.9,
        feature_dim: int = 64,
        l2: float = 1e-5,
        trainable_features: bool = False,
    ) -> None:
        super().__init__()
        self.num_layers = num_layers
        self.num_item_layers = num_item_layers
        self.skip = skip
        self.l2 = l2
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.features = ItemFeatures(num_items, modalities, trainable_features)
        self.lin = ModuleDict({m: Linear(width, feature_dim) for m, width in modalities.items()})
        self.modality_logit = Parameter(torch.empty(len(modalities)))
        self.frozen_graph = FrozenItemGraph(dict.fromkeys(modalities, 1.0), k, cosine=True)
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        size = (data["user"].num_nodes, data["item"].num_nodes)
        model = cls(*size, modalities(data), **kwargs)
        model.features.start_from(data)
        return model

    @classmethod
    def preset(cls, name: str) -> Preset:
        """One for all three of the authors' sets: the defaults of their ``parser.py``."""
        if name not in ("baby", "sports", "clothing"):
            return super().preset(name)
        fit = {"lr": 5e-4, "batch_size": 1024, "epochs": 200, "patience": 10, "eval_every": 5}
        return Preset({"k": 10, "skip": 0.9, "l2": 1e-5}, fit)

    def reset_parameters(self) -> None:
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        reset(self.lin)
        torch.nn.init.zeros_(self.modality_logit)
        self._similar: CSRGraph | None = None
        self._built_from: dict[str, Edges] | None = None

    def start_epoch(self, data: HeteroData) -> None:
        self._similar = None

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        user, item = self._collaborate(data)
        similar, h = self._similar_items(data), self.item_embedding.weight
        for _ in range(self.num_item_layers):
            h = spmm(similar, h)
        return user, item + unit_rows(h)

    def _collaborate(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        """LightGCN with self-loops and row sums of one."""
        to_item, to_user = self.user_item_graphs(data)
        one = torch.ones_like(to_item.weight)
        to_item, to_user = to_item.with_weight(one), to_user.with_weight(one)
        user, item = self.user_embedding.weight, self.item_embedding.weight
        user_sum, item_sum = user, item
        for _ in range(self.num_layers):
            user, item = _mean_with_self(to_user, item, user), _mean_with_self(to_item, user, item)
            user_sum, item_sum = user_sum + user, item_sum + item
        return user_sum / (self.num_layers + 1), item_sum / (self.num_layers + 1)

    def _similar_items(self, data: HeteroData) -> CSRGraph:
        """The item graph; in training, its weights carry a gradient just after it was rebuilt."""
        frozen = self.frozen_graph.parts(data)
        if not self.training:
            return self._build(data, frozen)
        if self._similar is None or self._built_from is not frozen:
            graph = self._build(data, frozen)
            self._similar, self._built_from = graph.with_weight(graph.weight.detach()), frozen
            return graph
        return self._similar

    def _build(self, data: HeteroData, frozen: dict[str, Edges]) -> CSRGraph:
        num_items = self.item_embedding.num_embeddings
        share = self.modality_logit.softmax(0)
        learned = []
        for m, lin in self.lin.items():
            x, mask = lin(self.features(data, m)), data["item"][f"{m}_mask"]
            edge_index = knn_graph(x.detach(), self.frozen_graph.k, loop=True, mask=mask)
            learned.append((edge_index, edge_cosine(x, edge_index)))
        edge_index, weight = sum_edges(learned, share, num_items)
        parts = [*frozen.values(), (edge_index, symmetric_norm(edge_index, weight, num_items))]
        weights = [*(self.skip * share), 1 - self.skip]
        return csr_graph(*sum_edges(parts, weights, num_items), size=(num_items, num_items))

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        z_user, z_item = self(data)
        z_user, z_item = z_user[user], z_item[torch.stack([pos, neg])]
        score = (z_user * z_item).sum(-1)  # [2, B]
        norms = l2_of_batch(z_user, *z_item)
        return {"bpr": bpr_loss(score[0], score[1]), "l2": self.l2 * norms}

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.user_embedding.embedding_dim}, "
            f"num_layers={self.num_layers}, num_item_layers={self.num_item_layers}, "
            f"features={self.features})"
        )


def _mean_with_self(graph: CSRGraph, src: Tensor, dst: Tensor) -> Tensor:
    return (dst + spmm(graph, src)) / (graph.in_degree + 1).unsqueeze(1)

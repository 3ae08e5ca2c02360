from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Embedding
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn.fold_in import FoldIn, FoldInTerm
from crane_pyg.nn.graphs import ItemGraph, LatentItemGraph, RefreshedItemGraph
from crane_pyg.nn.models.recommender import Preset, Recommender
from crane_pyg.nn.objectives import L2, BPRLoss, Objective, RankingLoss, Triplets
from crane_pyg.ops import CSRGraph, spmm, unit_rows
from crane_pyg.schema import check_modalities, modalities, sizes


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
        item_graph (ItemGraph, optional): in the place of :math:`\mathbf{S}`.
        ranking (RankingLoss, optional): in the place of BPR's.

    Raises:
        ValueError: if there is no modality.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import LATTICE
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = LATTICE.from_data(data, k=5)
        >>> user, item = model(data)
        >>> user.shape, item.shape
        (torch.Size([300, 64]), torch.Size([200, 64]))
    """

    objective: Objective
    tables = ("user_embedding", "item_embedding")
    # One for all three of the authors' sets: the defaults of their parser.py.
    presets = dict.fromkeys(
        ("baby", "sports", "clothing"),
        Preset(
            {"k": 10, "skip": 0.9, "l2": 1e-5},
            {"lr": 5e-4, "batch_size": 1024, "epochs": 200, "patience": 10, "eval_every": 5},
        ),
    )

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
        item_graph: ItemGraph | None = None,
        ranking: RankingLoss | None = None,
    ) -> None:
        super().__init__()
        check_modalities(modalities)
        self.objective = Objective(ranking or BPRLoss(), regulariser=L2(l2))
        self.out_channels = embedding_dim
        self.num_layers = num_layers
        self.num_item_layers = num_item_layers
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        if item_graph is None:
            latent = LatentItemGraph(
                num_items,
                modalities,
                k,
                skip=skip,
                feature_dim=feature_dim,
                trainable_features=trainable_features,
            )
            item_graph = RefreshedItemGraph(latent, num_items)
        self.item_graph = item_graph
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        model = cls(*sizes(data), modalities(data), **kwargs)
        model.item_graph.warm_start(data)
        return model

    def reset_parameters(self) -> None:
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        self.item_graph.reset_parameters()

    def start_epoch(self, data: HeteroData) -> None:
        self.item_graph.start_epoch()

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        user, item = self._collaborate(data)
        similar, h = self.columns.graph(self.item_graph(data)), self.item_embedding.weight
        for _ in range(self.num_item_layers):
            h = spmm(similar, h)
        return user, item + self.columns.across(unit_rows, h)

    def _collaborate(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        """LightGCN with self-loops and row sums of one."""
        to_item, to_user = (graph.unweighted() for graph in self.user_item_graphs(data))
        user, item = self.user_embedding.weight, self.item_embedding.weight
        user_sum, item_sum = user, item
        for _ in range(self.num_layers):
            user, item = _mean_with_self(to_user, item, user), _mean_with_self(to_item, user, item)
            user_sum, item_sum = user_sum + user, item_sum + item
        return user_sum / (self.num_layers + 1), item_sum / (self.num_layers + 1)

    def fold_in(self, data: HeteroData) -> FoldIn:
        to_item, to_user = (graph.unweighted() for graph in self.user_item_graphs(data))
        user, item = self.user_embedding.weight, self.item_embedding.weight
        layers = []
        for _ in range(self.num_layers):
            layers.append(item)
            user, item = _mean_with_self(to_user, item, user), _mean_with_self(to_item, user, item)
        # What comes in with layer l is divided once more in each layer that follows.
        sums = [
            torch.stack(layers[: self.num_layers - p]).sum(0) / (self.num_layers + 1)
            for p in range(self.num_layers)
        ]
        terms = [FoldInTerm(total, 1, p + 1) for p, total in enumerate(sums)]
        return FoldIn(terms or [FoldInTerm(torch.zeros_like(item), 0, 0)])

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        z_user, z_item = self(data)
        items = torch.stack([pos, neg])
        z_user, z_item = self.columns.whole(z_user[user], z_item[items])
        return self.objective(Triplets(z_user, z_item, user, items), embeddings=[z_user, *z_item])

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.user_embedding.embedding_dim}, "
            f"num_layers={self.num_layers}, num_item_layers={self.num_item_layers}, "
            f"item_graph={self.item_graph})"
        )


def _mean_with_self(graph: CSRGraph, src: Tensor, dst: Tensor) -> Tensor:
    return (dst + spmm(graph, src)) / (graph.in_degree + 1).unsqueeze(1)

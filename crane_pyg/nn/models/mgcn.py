from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Embedding, Linear, Sequential, Sigmoid, Tanh
from torch_geometric.data import HeteroData
from torch_geometric.nn.inits import reset
from typing_extensions import Self

from crane_pyg.nn.by_modality import ByModality
from crane_pyg.nn.conv import item_view_propagation, light_gcn_propagation
from crane_pyg.nn.graphs import FrozenItemGraph
from crane_pyg.nn.item_features import ItemFeatures
from crane_pyg.nn.modality_views import ModalityViews
from crane_pyg.nn.models.fused_views import FusedViewsRecommender
from crane_pyg.nn.models.recommender import Preset
from crane_pyg.nn.objectives import L2, BPRLoss, InfoNCE, Objective, RankingLoss
from crane_pyg.schema import modalities, sizes


class MGCN(FusedViewsRecommender):
    r"""MGCN from `"Multi-View Graph Convolutional Network for Multimedia Recommendation"
    <https://arxiv.org/abs/2308.03588>`_.

    LightGCN, and for each modality a view of its own, in which an item's embedding passes as far as
    its features let it through to the items that resemble it. What the views share and what each
    has beside that are told apart and fused.

    .. math::
        \mathbf{h}^m_I &= \mathbf{S}_m^{L_{II}} \left( \mathbf{e}^{(0)}_I \odot \sigma(\mathbf{G}_m
        (\mathbf{W}_m \mathbf{x}^m_I)) \right), \qquad
        \mathbf{h}^m_u = \sum_{i \in \mathcal{N}(u)} w_{iu} \, \mathbf{h}^m_i

        \mathbf{c} &= \sum_m \alpha_m \mathbf{h}^m, \qquad
        \alpha = \mathrm{softmax}_m(\mathbf{q}^{\top} \tanh(\mathbf{A} \mathbf{h}^m))

        \mathbf{s} &= \frac{1}{K + 1} \Big( \mathbf{c} + \sum_m \sigma(\mathbf{P}_m \mathbf{e})
        \odot (\mathbf{h}^m - \mathbf{c}) \Big), \qquad \mathbf{z} = \mathbf{e} + \mathbf{s}

    :math:`\mathbf{e}` is LightGCN's, :math:`K` the number of modalities, :math:`\mathbf{S}_m` the
    symmetric Laplacian of the :math:`k` nearest by cosine; biases are not printed. Trained by BPR,
    by InfoNCE of the batch's :math:`\mathbf{s}` among their :math:`\mathbf{e}`, users and positive
    items apart, and by L2 of the batch's :math:`\mathbf{z}`.

    The reading is that of the authors' code, which is the common toolbox's too: the mean that makes
    :math:`\mathbf{s}` is over :math:`\mathbf{c}` and the others alike; InfoNCE is within the batch,
    where a node that stands twice is its own negative once; the features train along
    (:attr:`trainable_features`). Their learning rate falls by 4% in 50 epochs, which is not here.
    A modality that an item lacks, or all items of a user, counts neither in the softmax, nor in the
    sum, nor in :math:`K`.

    Args:
        num_users, num_items (int): sizes.
        modalities (dict): width of the features of each modality, by name.
        embedding_dim (int): :math:`d`. (default: ``64``)
        num_layers (int): layers of LightGCN. (default: ``2``)
        num_item_layers (int): :math:`L_{II}`, at least 1. (default: ``1``)
        k (int): neighbours of each item in each modality. (default: ``10``)
        beta (float): weight of InfoNCE; the authors search 0.001, 0.01 and 0.1. (default: ``0.01``)
        temperature (float): what its cosines are divided by. (default: ``0.2``)
        l2 (float): weight of the squared norms. (default: ``1e-4``)
        trainable_features (bool): :math:`\mathbf{x}^m` are parameters, which :meth:`from_data`
            fills; :math:`\mathbf{S}_m` stays on the data's. (default: ``False``)
        ranking (RankingLoss, optional): in the place of BPR's.

    Raises:
        ValueError: if there is no modality, or no layer over the items.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import MGCN
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = MGCN.from_data(data, k=5)
        >>> user, item = model(data)
        >>> user.shape, item.shape
        (torch.Size([300, 64]), torch.Size([200, 64]))
    """

    # One configuration for all three of the authors' sets.
    presets = dict.fromkeys(
        ("baby", "sports", "clothing"),
        Preset(
            {"k": 10, "beta": 0.01, "l2": 1e-4, "trainable_features": True},
            {"lr": 1e-3, "batch_size": 2048, "epochs": 1000, "patience": 10},
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
        beta: float = 0.01,
        temperature: float = 0.2,
        l2: float = 1e-4,
        trainable_features: bool = False,
        ranking: RankingLoss | None = None,
    ) -> None:
        super().__init__()
        if num_item_layers < 1:
            raise ValueError(f"num_item_layers must be at least 1 (got {num_item_layers})")
        contrast = InfoNCE(beta, temperature) if beta > 0 else None
        self.objective = Objective(ranking or BPRLoss(), contrast, L2(l2))
        d = self.out_channels = embedding_dim
        self.num_layers = num_layers
        self.num_item_layers = num_item_layers
        self.user_embedding = Embedding(num_users, d)
        self.item_embedding = Embedding(num_items, d)
        self.features = ItemFeatures(num_items, modalities, trainable_features)
        self.item_graphs = ByModality(
            {m: FrozenItemGraph({m: 1.0}, k, cosine=True) for m in modalities}
        )
        self.gate = ByModality(
            {m: Sequential(Linear(w, d), Linear(d, d), Sigmoid()) for m, w in modalities.items()}
        )
        self.attention = Sequential(Linear(d, d), Tanh(), Linear(d, 1, bias=False))
        self.preference = Linear(d, len(modalities) * d)  # of all modalities in one product
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        model = cls(*sizes(data), modalities(data), **kwargs)
        model.features.start_from(data)
        return model

    def reset_parameters(self) -> None:
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        for module in (self.gate, self.attention, self.preference):
            reset(module)

    def views(self, data: HeteroData) -> tuple[ModalityViews, ModalityViews]:
        to_item, to_user = self.user_item_graphs(data)
        e_user, e_item = self.user_embedding.weight, self.item_embedding.weight
        content = light_gcn_propagation(e_user, e_item, (to_item, to_user), self.num_layers)
        gates = (gate(self.features(data, m)) for m, gate in self.gate.items())
        passed = [e_item * self.columns.own(gate) for gate in gates]
        graphs = [graph(data) for graph in self.item_graphs.values()]
        views = item_view_propagation(passed, graphs, to_user, self.num_item_layers)
        user, item = zip(content, views, self.known(data), strict=True)
        return ModalityViews(*user), ModalityViews(*item)

    def fuse(self, side: ModalityViews) -> Tensor:
        """What the views share, and what each has beside it that the user or item prefers."""
        known, h = side.known.unsqueeze(2), side.views  # [n, K, 1], [n, K, d]
        # Not minus infinity: of rows without any modality no weight would be a number.
        logit = self.attention(h)
        logit = logit.masked_fill(~known, torch.finfo(logit.dtype).min)
        shared = (logit.softmax(1) * h).sum(1)
        preference = self.preference(side.content).sigmoid().view_as(h)
        own = (preference * (h - shared.unsqueeze(1))).masked_fill(~known, 0).sum(1)
        return (shared + own) / (1 + known.sum(1))

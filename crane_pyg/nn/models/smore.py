from collections.abc import Mapping
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.nn import Embedding, Linear, ModuleList, Parameter, Sequential, Tanh
from torch_geometric.data import HeteroData
from torch_geometric.nn.inits import reset
from typing_extensions import Self

from crane_pyg.nn.by_modality import ByModality
from crane_pyg.nn.conv import item_view_propagation, light_gcn_propagation
from crane_pyg.nn.graphs import FrozenItemGraph, PooledItemGraph
from crane_pyg.nn.item_features import ItemFeatures
from crane_pyg.nn.modality_views import ModalityViews
from crane_pyg.nn.models.fused_views import FusedViewsRecommender
from crane_pyg.nn.models.recommender import Preset
from crane_pyg.nn.objectives import L2, BPRLoss, InfoNCE, Objective, RankingLoss
from crane_pyg.ops import dropout
from crane_pyg.schema import VISUAL, modalities, sizes


def _tuned(num_layers: int, visual_k: int, k: int, **rest: float) -> Preset:
    """The table in the README of the authors' repository."""
    model = {"num_layers": num_layers, "visual_k": visual_k, "k": k, **rest}
    fit = {"lr": 1e-3, "batch_size": 2048, "epochs": 1000, "patience": 20}
    return Preset({**model, "trainable_features": True}, fit)


class SMORE(FusedViewsRecommender):
    r"""SMORE from `"Spectrum-based Modality Representation Fusion Graph Convolutional Network for
    Multimodal Recommendation" <https://arxiv.org/abs/2412.14978>`_.

    LightGCN, a view of its own for each modality and one for all of them: features are filtered,
    and fused by their product, in the frequency domain; an item's embedding passes as far as they
    let it through to the items that resemble it.

    .. math::
        \tilde{\mathbf{x}}^m &= \mathcal{F}^{-1} \big( \mathbf{w}_m \odot \mathcal{F}(\mathbf{W}_m
        \mathbf{x}^m) \big), \qquad
        \tilde{\mathbf{x}}^f = \mathcal{F}^{-1} \Big( \mathbf{w}_f \odot \prod_m
        \mathcal{F}(\mathbf{W}_m \mathbf{x}^m) \Big)

        \mathbf{h}^v_I &= \mathbf{S}_v^{L_{II}} \left( \mathbf{e}^{(0)}_I \odot \sigma(\mathbf{G}_v
        \tilde{\mathbf{x}}^v_I) \right), \qquad
        \mathbf{h}^v_u = \sum_{i \in \mathcal{N}(u)} w_{iu} \, \mathbf{h}^v_i

        \mathbf{s} &= \frac{1}{K + 1} \Big( \sigma(\mathbf{P}_f \mathbf{e}) \odot \mathbf{h}^f
        + \sum_m \sigma(\mathbf{P}_m \mathbf{e}) \odot \mathrm{softmax}(\mathbf{B}_m
        \tanh(\mathbf{A}_m \mathbf{h}^f)) \odot \mathbf{h}^m \Big), \qquad
        \mathbf{z} = \mathbf{e} + \mathbf{s}

    :math:`\mathbf{e}` is LightGCN's, :math:`K` the number of modalities, :math:`\mathcal{F}` the
    Fourier transform over the channels, :math:`\mathbf{S}_m` the symmetric Laplacian of the nearest
    by cosine and :math:`\mathbf{S}_f` their maximum; the softmax is over channels, and biases are
    not printed. Trained by BPR, by InfoNCE of the batch's :math:`\mathbf{s}` among their
    :math:`\mathbf{e}`, users and positive items apart, and by L2 of the batch's :math:`\mathbf{z}`.

    The reading is that of the authors' code, which is the common toolbox's too: features are
    projected before they are transformed; dropout falls on the preferences
    :math:`\sigma(\mathbf{P} \mathbf{e})`; InfoNCE is within the batch, where a node that stands
    twice is its own negative once; the features train along (:attr:`trainable_features`). Their
    learning rate falls by 4% in 50 epochs, which is not here. A modality that an item lacks is left
    out of its product; one that an item lacks, or all items of a user, counts neither in the sum
    nor in :math:`K`.

    Args:
        num_users, num_items (int): sizes.
        modalities (dict): width of the features of each modality, by name.
        embedding_dim (int): :math:`d`. (default: ``64``)
        num_layers (int): layers of LightGCN. (default: ``3``)
        num_item_layers (int): :math:`L_{II}`, at least 1. (default: ``1``)
        k (int): neighbours of each item in each modality. (default: ``10``)
        visual_k (int, optional): those in the modality called ``visual`` or ``image``, :obj:`k` if
            not given. (default: ``None``)
        beta (float): weight of InfoNCE. (default: ``0.01``)
        temperature (float): what its cosines are divided by. (default: ``0.2``)
        dropout (float): share of the preferences' entries that is dropped. (default: ``0``)
        l2 (float): weight of the squared norms. (default: ``1e-4``)
        trainable_features (bool): :math:`\mathbf{x}^m` are parameters, which :meth:`from_data`
            fills; the graphs stay on the data's. (default: ``False``)
        ranking (RankingLoss, optional): in the place of BPR's.

    The defaults are what the authors report for most of their sets, but for the neighbours by
    image, 40 for Baby and Clothing.

    Raises:
        ValueError: if there is no modality, no layer over the items, or the share of the dropout
            lies outside of [0, 1).

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import SMORE
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = SMORE.from_data(data, k=5)
        >>> user, item = model(data)
        >>> user.shape, item.shape
        (torch.Size([300, 64]), torch.Size([200, 64]))
    """

    presets = {  # noqa: RUF012 (read only)
        "baby": _tuned(4, 40, 15, beta=0.01, l2=1e-4, dropout=0.1),
        "sports": _tuned(3, 10, 10, beta=0.03, l2=1e-4, dropout=0.0),
        "clothing": _tuned(3, 40, 10, beta=0.01, l2=1e-5, dropout=0.0),
    }

    def __init__(
        self,
        num_users: int,
        num_items: int,
        modalities: Mapping[str, int],
        embedding_dim: int = 64,
        *,
        num_layers: int = 3,
        num_item_layers: int = 1,
        k: int = 10,
        visual_k: int | None = None,
        beta: float = 0.01,
        temperature: float = 0.2,
        dropout: float = 0.0,
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
        self.dropout = dropout
        self.user_embedding = Embedding(num_users, d)
        self.item_embedding = Embedding(num_items, d)
        self.features = ItemFeatures(num_items, modalities, trainable_features)
        neighbours = {m: (visual_k or k) if m in VISUAL else k for m in modalities}
        graphs = [FrozenItemGraph({m: 1.0}, n, cosine=True) for m, n in neighbours.items()]
        self.item_graph = PooledItemGraph(graphs)
        self.lin = ByModality({m: Linear(width, d) for m, width in modalities.items()})
        count = len(modalities)
        # Of each modality, then of what is fused; real and imaginary parts.
        self.filter = Parameter(torch.empty(1 + count, d // 2 + 1, 2))
        self.gate = ModuleList(Linear(d, d) for _ in range(1 + count))
        self.attention = ModuleList(
            Sequential(Linear(d, d), Tanh(), Linear(d, d, bias=False)) for _ in modalities
        )
        self.preference = Linear(d, (1 + count) * d)  # of all views in one product
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        model = cls(*sizes(data), modalities(data), **kwargs)
        model.features.start_from(data)
        return model

    def reset_parameters(self) -> None:
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        torch.nn.init.normal_(self.filter)
        for module in (self.lin, self.gate, self.attention, self.preference):
            reset(module)

    def views(self, data: HeteroData) -> tuple[ModalityViews, ModalityViews]:
        to_item, to_user = self.user_item_graphs(data)
        e_user, e_item = self.user_embedding.weight, self.item_embedding.weight
        content = light_gcn_propagation(e_user, e_item, (to_item, to_user), self.num_layers)
        known = self.known(data)
        filtered = self._filter(data, known[1])
        gates = (gate(x).sigmoid() for gate, x in zip(self.gate, filtered, strict=True))
        passed = [e_item * self.columns.own(gate) for gate in gates]
        graphs = [graph(data) for graph in (*self.item_graph.graphs, self.item_graph)]
        views = item_view_propagation(passed, graphs, to_user, self.num_item_layers)
        user, item = zip(content, views, known, strict=True)
        return ModalityViews(*user), ModalityViews(*item)

    def _filter(self, data: HeteroData, known: Tensor) -> list[Tensor]:
        """Features of each modality, and of all together, ``[N, d]`` each."""
        spectra = []
        for m, lin in self.lin.items():
            x = lin(self.features(data, m))
            x = x.float() if x.dtype.itemsize < 4 else x  # which Fourier transforms do not take
            spectra.append(torch.fft.rfft(x, norm="ortho"))
        present = zip(spectra, known.unbind(1), strict=True)
        fused = [spectrum.masked_fill(~mask.unsqueeze(1), 1) for spectrum, mask in present]
        weights = torch.view_as_complex(self.filter)
        return [
            torch.fft.irfft(spectrum * weight, n=self.out_channels, norm="ortho")
            for spectrum, weight in zip([*spectra, reduce(torch.mul, fused)], weights, strict=True)
        ]

    def fuse(self, side: ModalityViews) -> Tensor:
        """The views as far as the user or item prefers each, the modalities' by what is fused."""
        *views, fused = side.views.unbind(1)
        told = [
            attend(fused).softmax(1) * h for attend, h in zip(self.attention, views, strict=True)
        ]
        preference = self.preference(side.content).sigmoid().view_as(side.views)
        preference = dropout(preference, self.dropout if self.training else 0.0)
        total = (preference * torch.stack([*told, fused], dim=1)).sum(1)
        return total / (1 + side.known.sum(1, keepdim=True))

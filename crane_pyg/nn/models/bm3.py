from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding, Linear
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn.by_modality import ByModality
from crane_pyg.nn.conv import light_gcn_propagation
from crane_pyg.nn.fold_in import FoldIn, light_gcn_fold_in
from crane_pyg.nn.item_features import ItemFeatures
from crane_pyg.nn.models.recommender import Preset, Recommender, single_precision
from crane_pyg.nn.objectives import Norm
from crane_pyg.ops import dropout
from crane_pyg.schema import modalities, sizes


def _tuned(num_layers: int, dropout: float, l2: float) -> Preset:
    """The table in the README of the authors' repository."""
    fit = {"lr": 1e-3, "batch_size": 2048, "epochs": 1000, "patience": 20}
    model = {"num_layers": num_layers, "dropout": dropout, "l2": l2}
    return Preset({**model, "trainable_features": True}, fit)


class BM3(Recommender):
    r"""BM3 from `"Bootstrap Latent Representations for Multi-modal Recommendation"
    <https://arxiv.org/abs/2207.05969>`_.

    LightGCN, whose items keep their own embedding beside it, trained without negatives: what a
    shared linear map predicts from one side of an interaction should point where the other side,
    after dropout, does.

    .. math::
        \mathbf{e}_u &= \mathrm{LightGCN}(\mathbf{e}^{(0)})_u, \qquad
        \mathbf{e}_i = \mathrm{LightGCN}(\mathbf{e}^{(0)})_i + \mathbf{e}^{(0)}_i, \qquad
        \mathbf{x}^m_i = \mathbf{W}_m \mathbf{f}^m_i + \mathbf{b}_m, \qquad
        \mathbf{z} = \mathbf{W} \mathbf{e} + \mathbf{b}

        \mathcal{L} &= c(\mathbf{e}_u, \mathbf{e}_i) + c(\mathbf{e}_i, \mathbf{e}_u)
        + \lambda \sum_m \left( c(\mathbf{x}^m_i, \mathbf{e}_i)
        + c(\mathbf{x}^m_i, \mathbf{x}^m_i) \right)

        c(\mathbf{a}, \mathbf{t}) &= 1 - \cos(\mathbf{W} \mathbf{a} + \mathbf{b},
        \, \mathrm{dropout}(\mathbf{t}))

    where nothing is learned through :math:`\mathbf{t}`. The score is
    :math:`\mathbf{z}_u^{\top} \mathbf{z}_i`, without the training's cosine. The reading is that of
    the authors' code, which is the common toolbox's too: the terms of the features count twice,
    where the paper adds them up; the norms of all users' and all items' :math:`\mathbf{e}` are kept
    small, not squared, over the number of items; the features train along
    (:attr:`trainable_features`). Pairs of which the item lacks the modality count as zero.

    Args:
        num_users, num_items (int): sizes.
        modalities (dict): width of the features of each modality, by name.
        embedding_dim (int): :math:`d`. (default: ``64``)
        num_layers (int): layers of LightGCN. (default: ``1``)
        dropout (float): share of the entries that is dropped. (default: ``0.5``)
        feature_weight (float): :math:`\lambda`. (default: ``2``)
        l2 (float): weight of the norms. (default: ``0.1``)
        trainable_features (bool): :math:`\mathbf{f}^m` are parameters, which :meth:`from_data`
            fills. (default: ``False``)

    The other defaults are what the authors report for Baby.

    Raises:
        ValueError: if there is no modality, or the share lies outside of [0, 1).

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import BM3
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = BM3.from_data(data)
        >>> user, item = model(data)
        >>> user.shape, item.shape
        (torch.Size([300, 64]), torch.Size([200, 64]))
    """

    takes_ranking: ClassVar[bool] = False
    tables = ("user_embedding", "item_embedding")
    presets = {  # noqa: RUF012 (read only)
        "baby": _tuned(1, dropout=0.5, l2=0.1),
        "sports": _tuned(1, dropout=0.5, l2=0.01),
        "electronics": _tuned(2, dropout=0.3, l2=0.1),
    }

    def __init__(
        self,
        num_users: int,
        num_items: int,
        modalities: Mapping[str, int],
        embedding_dim: int = 64,
        *,
        num_layers: int = 1,
        dropout: float = 0.5,
        feature_weight: float = 2.0,
        l2: float = 0.1,
        trainable_features: bool = False,
    ) -> None:
        super().__init__()
        self.out_channels = embedding_dim
        self.num_layers = num_layers
        self.dropout = dropout
        self.feature_weight = feature_weight
        self.regulariser = Norm(l2)
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.features = ItemFeatures(num_items, modalities, trainable_features)
        self.lin = ByModality({m: Linear(width, embedding_dim) for m, width in modalities.items()})
        self.predictor = Linear(embedding_dim, embedding_dim)
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        model = cls(*sizes(data), modalities(data), **kwargs)
        model.features.start_from(data)
        return model

    def reset_parameters(self) -> None:
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        for module in self.modules():
            if isinstance(module, Linear):
                module.reset_parameters()
                torch.nn.init.xavier_normal_(module.weight)

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        user, item = self._collaborate(data)
        across = self.columns.across
        return across(self.predictor, user), across(self.predictor, item)

    def _collaborate(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        user, item = self.user_embedding.weight, self.item_embedding.weight
        graphs = self.user_item_graphs(data)
        e_user, e_item = light_gcn_propagation(user, item, graphs, self.num_layers)
        return e_user, e_item + item

    def fold_in(self, data: HeteroData) -> FoldIn:
        user, item = self.user_embedding.weight, self.item_embedding.weight
        graphs = self.user_item_graphs(data)
        return light_gcn_fold_in(user, item, graphs, self.num_layers).through(self.predictor)

    @single_precision
    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        all_users, all_items = self._collaborate(data)
        all_users, all_items = self.columns.whole(all_users, all_items)  # their norms, too
        e_user, e_item = F.embedding(user, all_users), F.embedding(pos, all_items)
        user_view, item_view = self._view(e_user), self._view(e_item)
        from_user, from_item = self.predictor(e_user), self.predictor(e_item)
        both = _distance(from_user, item_view) + _distance(from_item, user_view)
        terms = {"reconstruction": both.mean()}
        if self.feature_weight > 0:
            losses = [self._modality(data, m, pos, item_view) for m in self.lin]
            terms["modality"] = self.feature_weight * torch.stack(losses).sum()
        # The first of the two says what the norms are divided by.
        terms[self.regulariser.name] = self.regulariser([all_items, all_users], ())
        return terms

    def _modality(self, data: HeteroData, modality: str, item: Tensor, item_view: Tensor) -> Tensor:
        x = self.lin[modality](F.embedding(item, self.features(data, modality)))
        predicted = self.predictor(x)
        loss = _distance(predicted, item_view) + _distance(predicted, self._view(x))
        return loss.masked_fill(~data["item"][f"{modality}_mask"][item], 0).mean()

    def _view(self, x: Tensor) -> Tensor:
        return dropout(x.detach(), self.dropout if self.training else 0.0)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.user_embedding.embedding_dim}, "
            f"num_layers={self.num_layers}, dropout={self.dropout}, features={self.features})"
        )


def _distance(predicted: Tensor, view: Tensor) -> Tensor:
    return 1 - F.cosine_similarity(predicted, view, dim=-1)

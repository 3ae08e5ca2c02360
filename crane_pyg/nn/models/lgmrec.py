from collections.abc import Mapping
from itertools import combinations
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding
from torch.utils.checkpoint import checkpoint
from torch_geometric.data import HeteroData
from torch_geometric.nn import Linear
from torch_geometric.nn.inits import reset
from typing_extensions import Self

from crane_pyg.nn.by_modality import ByModality
from crane_pyg.nn.conv import light_gcn_propagation
from crane_pyg.nn.models.recommender import Preset, Recommender, single_precision
from crane_pyg.nn.objectives import BPRLoss, Norm, Objective, RankingLoss, Triplets
from crane_pyg.ops import spmm
from crane_pyg.schema import VISUAL, check_modalities, modalities, sizes

_CHUNK = 1 << 26  # similarities held at once by the contrastive term
_CACHED = 1 << 20  # and worked on at a time, for a CPU's cache


class Pair(NamedTuple):
    """One embedding of all users ``[M, d]`` and all items ``[N, d]``."""

    user: Tensor
    item: Tensor


def _tuned(hyper_layers: int, num_hyperedges: int, dropout: float, alpha: float) -> Preset:
    """The toolbox's ``LGMRec.yaml``; the authors' log for Sports has four layers of hyperedges."""
    model = {"hyper_layers": hyper_layers, "num_hyperedges": num_hyperedges}
    fit = {"lr": 1e-3, "batch_size": 2048, "epochs": 1000, "patience": 20}
    return Preset({**model, "dropout": dropout, "alpha": alpha}, fit)


PRESETS = {
    "baby": _tuned(1, 4, dropout=0.5, alpha=0.3),
    "sports": _tuned(1, 4, dropout=0.6, alpha=0.6),
    "clothing": _tuned(2, 64, dropout=0.8, alpha=0.2),
}


class LGMRec(Recommender):
    r"""LGMRec from `"LGMRec: Local and Global Graph Learning for Multimodal Recommendation"
    <https://arxiv.org/abs/2312.16400>`_.

    Local embeddings from the user-item graph, of identities and of each modality apart, and global
    ones that pass through a few hyperedges per modality.

    .. math::
        \mathbf{z} &= \mathbf{e} + \sum_m \mathrm{unit}(\mathbf{x}^m)
        + \alpha \, \mathrm{unit} \Big( \sum_m \mathbf{h}^m \Big), \qquad
        \mathbf{h}^m = \mathbf{H}^m (\mathbf{H}^m_I)^{\top} \mathbf{e}_I

        \mathbf{H}^m_I &= \mathrm{softmax}(\mathbf{F}^m \mathbf{V}_m / \tau), \qquad
        \mathbf{H}^m_U = \mathrm{softmax}(\mathbf{A} \mathbf{F}^m \mathbf{V}_m / \tau)

    :math:`\mathbf{e}` is LightGCN's; :math:`\mathbf{x}^m` are the projected features, and their
    mean over a user's items, after :obj:`modality_layers` steps of LightGCN without readout.
    The reading is that of the authors' code, which is the common toolbox's too: Gumbel noise in
    the softmax and dropout on its result; the contrastive term is *summed* over the batch, with
    all users or items as negatives; the norms of the batch's :math:`\mathbf{z}` are not squared.
    Theirs draws the noise in evaluation as well, once for each batch of users; here evaluation has
    none. Their modalities are two, and the visual one is the anchor of the contrast; of more, the
    term is the mean over pairs.

    Args:
        num_users, num_items (int): sizes.
        modalities (dict): width of the features of each modality, by name.
        embedding_dim (int): :math:`d`. (default: ``64``)
        num_layers (int): layers of :math:`\mathbf{e}`. (default: ``2``)
        modality_layers (int): layers of :math:`\mathbf{x}^m`. (default: ``2``)
        hyper_layers (int): times the items' :math:`\mathbf{h}` passes through the hyperedges, at
            least 1. (default: ``1``)
        num_hyperedges (int): columns of :math:`\mathbf{V}`. (default: ``4``)
        dropout (float): dropout on :math:`\mathbf{H}`. (default: ``0.5``)
        alpha (float): :math:`\alpha`. (default: ``0.3``)
        temperature (float): :math:`\tau`, also of the contrast. (default: ``0.2``)
        beta (float): weight of the contrastive term. (default: ``1e-4``)
        l2 (float): weight of the norms, summed over users, positive and negative items and
            divided by the batch size. (default: ``1e-6``)
        ranking (RankingLoss, optional): in the place of BPR's.

    Raises:
        ValueError: if there is no modality, or no layer of hyperedges.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import LGMRec
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = LGMRec.from_data(data)
        >>> user, item = model(data)
        >>> user.shape, item.shape
        (torch.Size([300, 64]), torch.Size([200, 64]))
    """

    objective: Objective
    presets = PRESETS

    def __init__(
        self,
        num_users: int,
        num_items: int,
        modalities: Mapping[str, int],
        embedding_dim: int = 64,
        *,
        num_layers: int = 2,
        modality_layers: int = 2,
        hyper_layers: int = 1,
        num_hyperedges: int = 4,
        dropout: float = 0.5,
        alpha: float = 0.3,
        temperature: float = 0.2,
        beta: float = 1e-4,
        l2: float = 1e-6,
        ranking: RankingLoss | None = None,
    ) -> None:
        super().__init__()
        check_modalities(modalities)
        if hyper_layers < 1:
            raise ValueError(f"hyper_layers must be at least 1 (got {hyper_layers})")
        self.num_layers, self.modality_layers = num_layers, modality_layers
        self.hyper_layers, self.num_hyperedges = hyper_layers, num_hyperedges
        self.dropout = dropout
        self.alpha = alpha
        self.temperature = temperature
        self.beta = beta
        self.objective = Objective(ranking or BPRLoss(), regulariser=Norm(l2))
        self.out_channels = embedding_dim
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.lin = _glorot(modalities, embedding_dim)
        self.hyperedge = _glorot(modalities, num_hyperedges)
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(*sizes(data), modalities(data), **kwargs)

    def reset_parameters(self) -> None:
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        reset(self.lin)
        reset(self.hyperedge)

    @single_precision
    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        return self.views(data)[0]

    def views(self, data: HeteroData) -> tuple[Pair, dict[str, Pair]]:
        r""":math:`\mathbf{z}`, and :math:`\mathbf{h}` of each modality."""
        e = self._collaborate(data)
        local, globally = e, {}
        for m in self.lin:
            x, logit = self._modality(data, m)
            local = Pair(local.user + F.normalize(x.user), local.item + F.normalize(x.item))
            globally[m] = self._through_hyperedges(e.item, logit, data["item"][f"{m}_mask"])
        # Dropout leaves rows of h near zero; the floor in F.normalize bounds their gradient.
        h_user, h_item = (torch.stack(h).sum(0) for h in zip(*globally.values(), strict=True))
        z_user = local.user + self.alpha * F.normalize(h_user)
        return Pair(z_user, local.item + self.alpha * F.normalize(h_item)), globally

    def _collaborate(self, data: HeteroData) -> Pair:
        user, item = self.user_embedding.weight, self.item_embedding.weight
        return Pair(
            *light_gcn_propagation(user, item, self.user_item_graphs(data), self.num_layers)
        )

    def _modality(self, data: HeteroData, modality: str) -> tuple[Pair, Pair]:
        """Embeddings from the features of one modality, and logits of the hyperedges."""
        to_item, to_user = self.user_item_graphs(data)
        taken = to_user.unweighted()
        x, mask = data["item"][f"x_{modality}"], data["item"][f"{modality}_mask"]
        # The features are wide and the sums over them many: both maps go in one pass.
        weights = [self.lin[modality].weight, self.hyperedge[modality].weight]
        x = x.to(weights[0].dtype)
        item = F.linear(x, torch.cat(weights)).masked_fill(~mask.unsqueeze(1), 0)
        user = spmm(taken, item)
        count = spmm(taken, mask.to(x.dtype).unsqueeze(1)).clamp(min=1)
        widths = [weight.size(0) for weight in weights]
        (user, user_logit), (item, item_logit) = (torch.split(t, widths, 1) for t in (user, item))
        user = user / count
        for _ in range(self.modality_layers):
            user, item = spmm(to_user, item), spmm(to_item, user)
        return Pair(user, item), Pair(user_logit, item_logit)

    def _through_hyperedges(self, e_item: Tensor, logit: Pair, mask: Tensor) -> Pair:
        """An item that lacks the modality belongs to no hyperedge."""
        of_user = self._membership(logit.user)  # [M, H]
        of_item = self._membership(logit.item).masked_fill(~mask.unsqueeze(1), 0)  # [N, H]
        h_user = h_item = e_item
        for _ in range(self.hyper_layers):
            hyperedge = of_item.T @ h_item  # [H, d]
            h_user, h_item = of_user @ hyperedge, of_item @ hyperedge
        return Pair(h_user, h_item)

    def _membership(self, logit: Tensor) -> Tensor:
        if not self.training:
            return (logit / self.temperature).softmax(1)
        return F.dropout(F.gumbel_softmax(logit, self.temperature), self.dropout)

    @single_precision
    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        z, h = self.views(data)
        items = torch.stack([pos, neg])
        z_user, z_item = z.user[user], z.item[items]
        batch = Triplets(z_user, z_item, user, items)
        terms = self.objective(batch, embeddings=[z_user, *z_item])
        if self.beta > 0 and len(h) > 1:
            anchors = sorted(h, key=lambda m: (m not in VISUAL, m))
            losses = [
                _contrast(h[m].user, h[other].user, user, self.temperature)
                + _contrast(h[m].item, h[other].item, pos, self.temperature)
                for m, other in combinations(anchors, 2)
            ]
            terms["contrastive"] = self.beta * torch.stack(losses).mean()
        return terms

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.user_embedding.embedding_dim}, "
            f"num_layers={self.num_layers}, modality_layers={self.modality_layers}, "
            f"hyper_layers={self.hyper_layers}, num_hyperedges={self.num_hyperedges})"
        )


def _contrast(x: Tensor, y: Tensor, row: Tensor, temperature: float) -> Tensor:
    """InfoNCE of some rows of ``x`` with the same rows of ``y`` among all of them, summed."""
    row, count = torch.unique(row, return_counts=True)
    anchor, other = F.normalize(x[row]) / temperature, F.normalize(y)

    def log_total(anchor: Tensor) -> Tensor:
        blocks = torch.split(anchor, max(1, _CACHED // other.size(0)))
        return torch.cat([(block @ other.T).logsumexp(1) for block in blocks])

    parts = torch.split(anchor, max(1, _CHUNK // other.size(0)))
    if len(parts) == 1:
        total = log_total(anchor)
    else:
        total = torch.cat([checkpoint(log_total, part, use_reentrant=False) for part in parts])
    return (count * (total - (anchor * other[row]).sum(1))).sum()


def _glorot(modalities: Mapping[str, int], channels: int) -> ByModality[Linear]:
    return ByModality(
        {
            m: Linear(width, channels, bias=False, weight_initializer="glorot")
            for m, width in modalities.items()
        }
    )

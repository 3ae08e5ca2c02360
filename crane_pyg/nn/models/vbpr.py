from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding, Linear
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn.models.recommender import Recommender
from crane_pyg.nn.objectives import L2, BPRLoss, Norm, Objective, RankingLoss, Triplets
from crane_pyg.schema import check_modalities, modalities, sizes


class VBPR(Recommender):
    r"""VBPR from `"VBPR: Visual Bayesian Personalized Ranking from Implicit Feedback"
    <https://arxiv.org/abs/1510.01784>`_.

    Factors of the items' features stand beside the free ones.

    .. math::
        \hat{y}_{ui} = \mathbf{e}_u^{\top} \mathbf{e}_i
        + \mathbf{p}_u^{\top} \Big( \mathbf{b} + \sum_m \mathbf{W}_m \mathbf{x}^m_i \Big)

    As MMRec reads it, which the literature's numbers come from: all modalities, raw, in place of
    the image alone; no bias of items and features in the score; and the regulariser of
    :class:`~crane_pyg.nn.models.BPR`, here on :math:`[\mathbf{e} ; \mathbf{p}]` and on the items'
    counterpart. MMRec searches its weight in 2, 1, 1e-1, ..., 1e-5 and publishes no choice.

    Args:
        num_users, num_items (int): sizes.
        modalities (dict): width of the features of each modality, by name.
        embedding_dim (int): :math:`d`, of the free and of the features' factors each.
            (default: ``64``, MMRec's)
        l2 (float): weight of the regulariser. (default: ``0.1``)
        squared (bool): squared norms, per row of the batch and halved, in a term ``l2``, as the
            paper has them; else the norms of the whole batch over its size, in a term ``norm``.
            (default: ``False``)
        ranking (RankingLoss, optional): in the place of BPR's.

    Embeddings are twice as wide as :math:`d`; a masked modality of an item counts as zeros.

    Raises:
        ValueError: if there is no modality.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import VBPR
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = VBPR.from_data(data)
        >>> user, item = model(data)
        >>> user.shape, item.shape
        (torch.Size([300, 128]), torch.Size([200, 128]))
    """

    objective: Objective
    propagates: ClassVar[bool] = False
    tables = ("user_embedding", "item_embedding")

    def __init__(
        self,
        num_users: int,
        num_items: int,
        modalities: Mapping[str, int],
        embedding_dim: int = 64,
        l2: float = 0.1,
        squared: bool = False,
        ranking: RankingLoss | None = None,
    ) -> None:
        super().__init__()
        check_modalities(modalities)
        self.modalities = dict(modalities)
        regulariser = L2(l2) if squared else Norm(l2)
        self.objective = Objective(ranking or BPRLoss(), regulariser=regulariser)
        self.out_channels = 2 * embedding_dim
        self.user_embedding = Embedding(num_users, 2 * embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.lin = Linear(sum(modalities.values()), embedding_dim)
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(*sizes(data), modalities(data), **kwargs)

    def reset_parameters(self) -> None:
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        torch.nn.init.xavier_normal_(self.lin.weight)
        torch.nn.init.zeros_(self.lin.bias)

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        features = self._project(data)
        # Twice as wide as the table: a rank's columns of one are not those of the other.
        item = self.columns.across(
            lambda own: torch.cat([own, features], dim=1), self.item_embedding.weight
        )
        return self.user_embedding.weight, item

    def _project(self, data: HeteroData, items: Tensor | None = None) -> Tensor:
        """The features' factors ``[n, d]`` of some items, by default of all."""
        store, out = data["item"], torch.zeros_like(self.lin.bias)
        weights = torch.split(self.lin.weight, list(self.modalities.values()), dim=1)
        for m, weight in zip(self.modalities, weights, strict=True):
            x, mask = store[f"x_{m}"], store[f"{m}_mask"]
            if items is not None:
                x, mask = x.index_select(0, items), mask.index_select(0, items)
            out = out + F.linear(x, weight).masked_fill(~mask.unsqueeze(1), 0)
        return out + self.lin.bias

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        # Wide features are read and projected for the batch's distinct items alone.
        ids = torch.stack([pos, neg])
        items, rows = torch.unique(ids, return_inverse=True)
        z_user, own = self.columns.whole(self.user_embedding(user), self.item_embedding(items))
        item = torch.cat([own, self._project(data, items)], dim=1)
        z_item = F.embedding(rows, item)
        return self.objective(Triplets(z_user, z_item, user, ids), embeddings=[z_user, *z_item])

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.modalities}, "
            f"{self.item_embedding.embedding_dim})"
        )

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Embedding, Linear, Parameter
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn.by_modality import ByModality
from crane_pyg.nn.conv import BipartiteConv, light_gcn_propagation
from crane_pyg.nn.models.recommender import Recommender
from crane_pyg.nn.objectives import (
    L2,
    BPRLoss,
    Objective,
    RankingLoss,
    Triplets,
    info_nce_loss,
)
from crane_pyg.ops import unit_rows
from crane_pyg.schema import check_modalities, modalities, sizes


class Views(NamedTuple):
    """Embeddings by identity, each modality and their fusion: ``[M, V, d]`` and ``[N, V, d]``."""

    user: Tensor
    item: Tensor


class LPIC(Recommender):
    r"""LPIC from `"LPIC: Learnable Prompts and ID-guided Contrastive Learning for Multimodal
    Recommendation" <https://doi.org/10.1145/3735561>`_.

    A user has an interest of their own in each modality, made from learnable prompts; identities,
    which know the history, guide every modality by contrast, and the fused modality aligns them.
    Each view :math:`v` (identity, modalities, fusion) is propagated as LightGCN does, and

    .. math::
        \hat{y}_{ui} = \sum_v \mathbf{h}_u^{v \top} \mathbf{h}_i^v, \qquad
        \mathbf{p}_u^v = \mathbf{e}_u + \mathrm{softmax} \Big( \tfrac{1}{\tau}
        \cos(\mathbf{q}_u^v, \mathbf{P}^v) \Big) \mathbf{P}^v, \qquad
        \mathbf{q}_u^v = \frac{1}{|\mathcal{N}_u|}
        \sum_{i \in \mathcal{N}_u} (\mathbf{e}_i + \mathbf{x}_i^v).

    Only the abstract was at hand, and no code is public. It says: prompts that keep learning and
    take in the items' features model interests by modality; contrast guided by identities on the
    textual, visual and fused modality; alignment of text, image and fused modality. All formulas
    are filled in: prompts shared by all users and read by attention from the identities and
    features of what a user took; fusion by a linear map of identity and modalities; LightGCN; the
    losses, BPR and InfoNCE; the sum of views' scores; and every default, which follow the other
    models here and are not tuned.

    Args:
        num_users, num_items (int): sizes.
        modalities (dict): width of the features of each modality, by name.
        embedding_dim (int): :math:`d`. (default: ``64``)
        num_layers (int): layers of propagation, of which the mean is taken. (default: ``2``)
        num_prompts (int): rows of each :math:`\mathbf{P}^v`. (default: ``4``)
        temperature (float): :math:`\tau`, also of the contrasts. (default: ``0.2``)
        beta (float): weight of the contrast with identities. (default: ``0.01``)
        align (float): weight of the contrast of each modality with the fusion. (default: ``0.01``)
        l2 (float): weight of the batch's squared embedding norms. (default: ``1e-4``)
        ranking (RankingLoss, optional): in the place of BPR's.

    Embeddings hold all :math:`V` views, two more than there are modalities, side by side.

    Raises:
        ValueError: if there is no modality, or no prompt.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.models import LPIC
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> model = LPIC.from_data(data)
        >>> user, item = model(data)
        >>> user.shape, item.shape
        (torch.Size([300, 256]), torch.Size([200, 256]))
    """

    objective: Objective

    def __init__(
        self,
        num_users: int,
        num_items: int,
        modalities: Mapping[str, int],
        embedding_dim: int = 64,
        *,
        num_layers: int = 2,
        num_prompts: int = 4,
        temperature: float = 0.2,
        beta: float = 0.01,
        align: float = 0.01,
        l2: float = 1e-4,
        ranking: RankingLoss | None = None,
    ) -> None:
        super().__init__()
        check_modalities(modalities)
        if num_prompts < 1:
            raise ValueError(f"num_prompts must be at least 1 (got {num_prompts})")
        self.modalities = dict(modalities)
        self.num_layers = num_layers
        self.temperature = temperature
        self.beta, self.align = beta, align
        self.objective = Objective(ranking or BPRLoss(), regulariser=L2(l2))
        self.out_channels = (len(modalities) + 2) * embedding_dim
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.lin = ByModality(
            {m: Linear(width, embedding_dim, bias=False) for m, width in modalities.items()}
        )
        self.fuse = Linear((1 + len(modalities)) * embedding_dim, embedding_dim, bias=False)
        self.prompt = Parameter(torch.empty(len(modalities) + 1, num_prompts, embedding_dim))
        self.conv = BipartiteConv()
        self.reset_parameters()

    @classmethod
    def from_data(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls(*sizes(data), modalities(data), **kwargs)

    def reset_parameters(self) -> None:
        for name, parameter in self.named_parameters():
            for matrix in parameter if name == "prompt" else (parameter,):
                torch.nn.init.xavier_uniform_(matrix)

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        views = self.views(data)
        return views.user.flatten(1), views.item.flatten(1)

    def views(self, data: HeteroData) -> Views:
        """All views of all users and items."""
        item = self._item_views(data)
        # All views side by side: one product with the graph instead of one for each.
        flat = self._user_views(data, item).flatten(1), item.flatten(1)
        user, item = light_gcn_propagation(*flat, self.user_item_graphs(data), self.num_layers)
        shape = (-1, len(self.modalities) + 2, self.user_embedding.embedding_dim)
        return Views(user.view(shape), item.view(shape))

    def _item_views(self, data: HeteroData) -> Tensor:
        """Identities, projected features and fusion ``[N, V, d]``; zeros where there are none."""
        store, xs = data["item"], [self.item_embedding.weight]
        for m, lin in self.lin.items():
            x, lacks = store[f"x_{m}"], ~store[f"{m}_mask"].unsqueeze(1)
            # As of rows of unit length, without a copy of what is wide.
            length = x.norm(dim=1, keepdim=True).clamp(min=1e-12)
            xs.append((lin(x) / length).masked_fill(lacks, 0))
        return torch.stack([*xs, self.fuse(torch.cat(xs, dim=1))], dim=1)

    def _user_views(self, data: HeteroData, item: Tensor) -> Tensor:
        """Identities and prompted interests ``[M, V, d]``."""
        _, to_user = self.user_item_graphs(data)
        mean = 1 / to_user.in_degree.clamp(min=1)
        history = (item[:, 1:] + item[:, :1]).flatten(1)  # [N, (V - 1) * d]
        query = self.conv((history, None), to_user.with_weight(mean[to_user.dst]))
        identity, users = self.user_embedding.weight, [self.user_embedding.weight]
        for q, prompt in zip(query.chunk(len(self.prompt), dim=1), self.prompt, strict=True):
            attention = (unit_rows(q) @ unit_rows(prompt).T / self.temperature).softmax(1)
            users.append(identity + attention @ prompt)
        return torch.stack(users, dim=1)

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        views, items = self.views(data), torch.stack([pos, neg])
        z_user, z_item = views.user[user].flatten(1), views.item[items].flatten(2)
        embeddings = [self.user_embedding(user), *self.item_embedding(items)]
        batch = Triplets(z_user, z_item, user, items)
        ranking, regulariser = self.objective(batch, embeddings=embeddings).items()
        guided, aligned = self._contrast(data, views, torch.unique(user), torch.unique(pos))
        contrasts = [("contrastive", self.beta * guided), ("align", self.align * aligned)]
        return dict([ranking, *contrasts, regulariser])

    def _contrast(
        self, data: HeteroData, views: Views, user: Tensor, item: Tensor
    ) -> tuple[Tensor, Tensor]:
        """InfoNCE of every view with the identity, and of every modality with the fusion.

        Over distinct users and items; an item that lacks a modality is left out of its terms.
        """
        users, items = views.user[user].unbind(1), views.item[item].unbind(1)
        always = torch.ones_like(item, dtype=torch.bool)
        known = [*(data["item"][f"{m}_mask"][item] for m in self.modalities), always]
        guided = aligned = views.user.new_zeros(())
        for v, has in enumerate(known, start=1):
            for rows in (users, [x[has] for x in items]):
                guided = guided + info_nce_loss(rows[v], rows[0], temperature=self.temperature)
                if v < len(self.modalities) + 1:
                    pair = rows[v], rows[-1]
                    aligned = aligned + info_nce_loss(*pair, temperature=self.temperature)
        return guided, aligned

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.modalities}, "
            f"{self.user_embedding.embedding_dim}, num_layers={self.num_layers}, "
            f"num_prompts={self.prompt.size(1)})"
        )

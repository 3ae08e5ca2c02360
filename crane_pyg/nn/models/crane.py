import inspect
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding
from torch_geometric.data import HeteroData
from typing_extensions import Self

from crane_pyg.nn.content_term import ContentTerm
from crane_pyg.nn.conv import ProfileAggregation, SemanticConv, UserProfile
from crane_pyg.nn.encoder import CollaborativeEncoder
from crane_pyg.nn.fold_in import FoldIn, FoldInTerm
from crane_pyg.nn.graphs import ItemGraph
from crane_pyg.nn.history_fit import HistoryFit
from crane_pyg.nn.kept import KeptFor
from crane_pyg.nn.models.crane_choices import choose
from crane_pyg.nn.models.crane_presets import FIT, PRESETS
from crane_pyg.nn.models.crane_settings import CRANESettings
from crane_pyg.nn.models.crane_views import Views
from crane_pyg.nn.models.recommender import Recommender
from crane_pyg.nn.objectives import Objective, SampledSoftmax, Triplets
from crane_pyg.nn.residual import Residual
from crane_pyg.nn.scorer import Quality, Scorer
from crane_pyg.nn.spectral_start import spectral_start
from crane_pyg.ops import CSRGraph, distinct, unit_rows
from crane_pyg.ops.sparse import rows_of
from crane_pyg.schema import sizes


class CRANE(Recommender):
    r"""CRANE from "Cross-Modal Attention Network with Dual Graph Learning in Multimodal
    Recommendation" (ACM TOMM, 2026).

    Collaborative embeddings :math:`\mathbf{e}` come from the user-item graph (eq. 1-4), semantic
    ones :math:`\mathbf{h}` by passing :math:`\mathbf{e}_i` over an item-item graph that recursive
    cross-modal attention builds (eq. 5-15) and on to the users (eq. 16); a pair scores

    .. math::
        \hat{y}_{ui} = (\mathbf{e}_u + \mathbf{h}_u)^{\top} (\mathbf{e}_i + \mathbf{h}_i).

    Defaults do best on validation (``benchmarks/results/``): sampled softmax, users fitted and what
    the interactions alone say added afterwards. ``preset('bpr')`` trains as the paper does; its
    recipe as printed, ``preset('paper')`` and others, loses to LightGCN on real data.

    Args:
        num_users, num_items (int): sizes.
        embedding_dim (int): :math:`d`. (default: ``64``)
        encoder (CollaborativeEncoder, optional): eq. 2-4. (default: two layers, their mean)
        item_graph (ItemGraph, optional): which items resemble each other; without one,
            :math:`\mathbf{h}` is zero. It is drawn anew with the model, so
            :meth:`~crane_pyg.nn.ItemGraph.warm_start` is for afterwards. (default: ``None``)
        num_item_layers (int): :math:`L_{II}`. (default: ``1``)
        content_term (ContentTerm, optional): what features add to embeddings. (default: ``None``)
        semantic_profile (str, optional): :class:`~crane_pyg.nn.UserProfile` of eq. 16. Without it
            :math:`\mathbf{h}_u` is zero: what an item resembles says more of who takes it than of
            what they are. (default: ``None``)
        dual_fusion (bool): false trains the branches apart, each with embeddings and a loss of its
            own; scores add up: :math:`\mathbf{z} = [\mathbf{e} ; \mathbf{h}]`. (default: ``True``)
        objective (Objective, optional): the loss; its contrastive term is between the two
            branches. (default: sampled softmax, 512 negatives)
        history_fit (HistoryFit, optional): what may move the users' vectors once the model is
            trained, where :meth:`fold_in` knows how new ones start. (default: ``None``)
        residual (Residual, optional): what is added to the trained scores. (default: ``None``)
        graph_lr (float): learning rate of the item graph's parameters relative to the others'.
            (default: ``0.1``)
        weight_decay (float): share of the learning rate by which a step shrinks the weights, where
            cosines are compared: they feel no lengths, but the longer, the less embeddings turn at
            a step. (default: ``1.5``)

    Raises:
        ValueError: if branches trained apart lack an item graph, or contrast, or if either comes
            without the users' semantic part.
    """

    objective: Objective
    presets = PRESETS
    tables = ("user_embedding", "item_embedding", "semantic_embedding")
    scores_unseen = True
    fit_defaults = FIT

    def __init__(
        self,
        num_users: int,
        num_items: int,
        embedding_dim: int = 64,
        *,
        encoder: CollaborativeEncoder | None = None,
        item_graph: ItemGraph | None = None,
        num_item_layers: int = 1,
        content_term: ContentTerm | None = None,
        semantic_profile: ProfileAggregation | None = None,
        dual_fusion: bool = True,
        objective: Objective | None = None,
        history_fit: HistoryFit | None = None,
        residual: Residual | None = None,
        graph_lr: float = 0.1,
        weight_decay: float = 1.5,
    ) -> None:
        super().__init__()
        self.objective = objective or Objective(SampledSoftmax(max_negatives=512))
        contrastive = self.objective.contrastive
        if not dual_fusion and (item_graph is None or contrastive is not None):
            raise ValueError(
                "branches trained apart need an item graph and no contrastive term "
                f"(got dual_fusion=False, {item_graph=}, {contrastive=})"
            )
        if semantic_profile is None and (not dual_fusion or contrastive is not None):
            raise ValueError(
                "a contrastive term and branches trained apart need users' semantic embeddings: "
                f"semantic_profile must not be None (got {dual_fusion=}, {contrastive=})"
            )
        self.out_channels = embedding_dim if dual_fusion else 2 * embedding_dim
        self.num_item_layers = num_item_layers
        self.graph_lr = graph_lr
        self.weight_decay = weight_decay
        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        self.encoder = encoder or CollaborativeEncoder(embedding_dim)
        self.semantic_conv = SemanticConv()
        self.semantic_profile = semantic_profile and UserProfile(semantic_profile, embedding_dim)
        self.item_graph = item_graph
        self.content_term = content_term
        self.history_fit = history_fit
        self.residual = residual
        self.semantic_embedding = None if dual_fusion else Embedding(num_items, embedding_dim)
        self._taken = KeptFor[CSRGraph]()
        self._unseen = KeptFor[Tensor]()
        self.reset_parameters()

    @classmethod
    def settings(cls) -> dict[str, inspect.Parameter]:
        return dict(inspect.signature(CRANESettings).parameters)

    @classmethod
    def from_data(cls, data: HeteroData, **settings: Any) -> Self:
        """Construct with the sizes of ``data``, from flat settings.

        Args:
            data: the graph.
            **settings: fields of :class:`~crane_pyg.nn.models.crane_settings.CRANESettings`.

        Raises:
            ValueError: if a setting has a value that it cannot have, or ``data`` lacks a modality.
        """
        chosen = choose(CRANESettings(**settings), data)
        flat = chosen.settings
        model = cls(*sizes(data), **chosen.arguments)
        model.resolved = chosen.by_data
        if flat.warm_start and model.item_graph is not None:
            model.item_graph.warm_start(data)
        if flat.spectral_start:
            tables = model.user_embedding.weight, model.item_embedding.weight
            similarity = model.objective.ranking.similarity
            spectral_start(*tables, data, similarity=similarity, vectors=chosen.vectors)
        return model

    @classmethod
    def skeleton(cls, data: HeteroData, **settings: Any) -> Self:
        return cls.from_data(data, **settings | {"warm_start": False, "spectral_start": False})

    def reset_parameters(self) -> None:
        for table in (self.user_embedding, self.item_embedding, self.semantic_embedding):
            if table is not None:
                torch.nn.init.xavier_uniform_(table.weight)
        self.encoder.reset_parameters()
        parts = (self.semantic_profile, self.item_graph, self.content_term)
        for part in (*parts, self.history_fit, self.residual):
            if part is not None:
                part.reset_parameters()

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        own = [] if self.item_graph is None else [*self.item_graph.parameters()]
        rest = [p for name, p in self.named_parameters() if not name.startswith("item_graph.")]
        decay = self.weight_decay if self.objective.ranking.similarity == "cosine" else 0.0
        groups = {"params": rest, "lr": lr}, {"params": own, "lr": lr * self.graph_lr}
        return [group | {"weight_decay": decay} for group in groups if group["params"]]

    def start_epoch(self, data: HeteroData) -> None:
        self.encoder.start_epoch()
        if self.item_graph is not None:
            self.item_graph.start_epoch()

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        ranked = self.views(data).ranked(apart=self.semantic_embedding is not None)
        if len(ranked) > 1 and self.objective.ranking.similarity == "cosine":
            unit = partial(self.columns.across, unit_rows)
            ranked = [(unit(user), unit(item)) for user, item in ranked]
        users, items = (torch.cat(parts, dim=1) for parts in zip(*ranked, strict=True))
        if self.training or self.history_fit is None or not self.history_fit.steps:
            return users, items
        taken, fold_in = self._unweighted(data), self.fold_in(data)
        assert fold_in is not None
        whole = self.columns.whole(fold_in.vectors(taken), items)
        fitted = self.columns.own(self.history_fit(*whole, taken))
        return torch.where(taken.in_degree.unsqueeze(1) > 0, fitted, users), items

    def _unweighted(self, data: HeteroData) -> CSRGraph:
        to_user = self.user_item_graphs(data)[1]
        return self._taken((to_user.weight,), to_user.unweighted)

    def scorer(self, data: HeteroData) -> Scorer:
        own = super().scorer(data)
        return own if self.residual is None else self.residual(data, own)

    def calibrate(self, data: HeteroData, quality: Quality) -> float | None:
        chosen, own, scorer = None, None, partial(super().scorer, data)
        if self.history_fit is not None and self.fold_in(data) is not None:
            chosen, own = self.history_fit.calibrate(scorer, quality)
        return self.residual.calibrate(data, own or scorer(), quality) if self.residual else chosen

    def views(
        self, data: HeteroData, users: Tensor | None = None, items: Tensor | None = None
    ) -> Views:
        """Both views of all users and items, or of some.

        Args:
            data: the graph.
            users, items (Tensor, optional): the distinct ones that are wanted. (default: all)

        Shapes:
            - **output:** ``[m, d]`` of users, ``[n, d]`` of items
        """
        own = self.user_embedding.weight, self._own(data), self.user_item_graphs(data)
        e_user, e_item = self.encoder(*own, users, items if self.item_graph is None else None)
        if self.item_graph is None:
            return Views(e_user, torch.zeros_like(e_user), e_item, torch.zeros_like(e_item))
        similar = self.columns.graph(self.item_graph(data))
        h_item = e_item if self.semantic_embedding is None else self.semantic_embedding.weight
        for _ in range(self.num_item_layers):
            h_item = self.semantic_conv(h_item, similar)
        h_user = self._profiles(h_item, data, users)
        e_item, h_item = rows_of(e_item, items), rows_of(h_item, items)
        return Views(e_user, torch.zeros_like(e_user) if h_user is None else h_user, e_item, h_item)

    def _profiles(self, h_item: Tensor, data: HeteroData, users: Tensor | None) -> Tensor | None:
        """The users' semantic embeddings, if they have any."""
        if (profile := self.semantic_profile) is None:
            return None
        taken = self._unweighted(data)
        if profile.profile == "attention":  # others go column by column
            return self.columns.across(lambda items: profile(items, taken, rows=users), h_item)
        return cast(Tensor, profile(h_item, taken, rows=users))

    def _own(self, data: HeteroData) -> Tensor:
        """The items' embeddings; one that nobody took has none but what its content says."""
        to_item = self.user_item_graphs(data)[0]
        unseen = self._unseen((to_item.weight,), lambda: torch.where(to_item.in_degree == 0)[0])
        own = self.item_embedding.weight.index_fill(0, unseen, 0)
        if self.content_term is None:
            return own
        coordinates = self.content_term.coordinates(data)
        return own + coordinates @ self.columns.own(self.content_term.weight)

    def fold_in(self, data: HeteroData) -> FoldIn | None:
        graphs = self.user_item_graphs(data)
        e = self.encoder.fold_in(self.user_embedding.weight, self._own(data), graphs)
        if self.semantic_profile is None:
            return None if e is None else FoldIn([FoldInTerm(e, 0, 0.5)])
        apart, power = self.semantic_embedding is not None, self.semantic_profile.power
        if e is None or power is None or (apart and self.objective.ranking.similarity == "cosine"):
            return None
        h = self.views(data).h_item
        if apart:
            e, h = F.pad(e, (0, h.size(1))), F.pad(h, (e.size(1), 0))
        if power == 0.5:
            return FoldIn([FoldInTerm(e + h, 0, 0.5)])
        return FoldIn([FoldInTerm(e, 0, 0.5), FoldInTerm(h, 0, power)])

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        # What repeats is gathered by F.embedding, whose backward is deterministic on CUDA too.
        contrast = self.objective.contrastive is not None and self.item_graph is not None
        find = partial(torch.unique, return_inverse=True) if contrast else distinct
        item = torch.stack([pos, neg])
        (users, user_row), (items, item_rows) = find(user), find(item)
        views = Views(*self.columns.whole(*self.views(data, users, items)))
        batches = [
            Triplets(F.embedding(user_row, z_user), F.embedding(item_rows, z_item), user, item)
            for z_user, z_item in views.ranked(apart=self.semantic_embedding is not None)
        ]
        tables = (self.item_embedding, self.semantic_embedding)
        rows = [table(item) for table in tables if table is not None]
        e_user, *rows = self.columns.whole(self.user_embedding(user), *rows)
        return self.objective(
            *batches,
            views=views.contrasted(item_rows[0]) if contrast else (),
            embeddings=[e_user, *(x for pair in rows for x in pair)],
            parameters=self.columns.lengths(self.parameters()),
        )

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.user_embedding.embedding_dim}, "
            f"num_layers={len(self.encoder.convs)}, num_item_layers={self.num_item_layers}, "
            f"item_graph={self.item_graph}, content_term={self.content_term}, "
            f"history_fit={self.history_fit}, residual={self.residual})"
        )

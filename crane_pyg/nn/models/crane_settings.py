from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from crane_pyg.nn.content_term import ContentTerm
from crane_pyg.nn.conv import ProfileAggregation
from crane_pyg.nn.encoder import CollaborativeEncoder, Readout
from crane_pyg.nn.fusion import FUSIONS, Fusion, FusionName, RCAFusion
from crane_pyg.nn.graphs import (
    Degrees,
    DegreeThinning,
    ItemGraph,
    LearnedItemGraph,
    Refresh,
    RefreshedItemGraph,
)
from crane_pyg.nn.history_fit import HistoryFit
from crane_pyg.nn.objectives import (
    L2,
    InfoNCE,
    Objective,
    RankingName,
    RankingSettings,
    Regularised,
    Similarity,
)
from crane_pyg.nn.residual import RESIDUALS, Residual, ResidualName
from crane_pyg.ops import AttentionImpl
from crane_pyg.schema import check_modalities
from crane_pyg.transforms import DropMode


@dataclass(frozen=True)
class CRANESettings(RankingSettings):
    r"""Settings of :class:`~crane_pyg.nn.models.CRANE` as a flat list, for commands and files;
    :meth:`arguments` turns them into what the model is made of. Those of the ranking loss are of
    :class:`~crane_pyg.nn.objectives.RankingSettings`; softmax over 512 negatives is the default,
    with what it compares by (:func:`~crane_pyg.nn.choose_similarity`) and cosines' temperature
    (:func:`~crane_pyg.nn.choose_temperature`) left to the data.

    Args:
        embedding_dim: :math:`d`. (default: ``64``)
        num_layers: :math:`L_{UI}`. (default: ``2``)
        num_item_layers: :math:`L_{II}`. (default: ``1``)
        num_rounds: :math:`R`, rounds of attention. (default: ``1``)
        k: neighbours of each item. (default: ``10``)
        loop: whether an item is the first of its own neighbours; the paper does not say.
            (default: ``True``)
        fusion: what items are linked by, see :mod:`crane_pyg.nn.fusion`; ``None`` leaves the item
            graph and all that follows from it out. (default: ``'rca'``)
        center: subtract the mean of each modality's features; the paper does not.
            (default: ``True``)
        dual_fusion: see :class:`~crane_pyg.nn.models.CRANE`. (default: ``True``)
        drop_edge: ``'bernoulli'`` (eq. 2) or ``'multinomial'``, see
            :class:`~crane_pyg.nn.graphs.DegreeThinning`; ``None`` drops no edge, and ``'auto'``
            leaves it to the data, see :func:`~crane_pyg.nn.choose_thinning`.
            (default: ``'auto'``)
        drop_ratio: share of the edges that ``'multinomial'`` drops. (default: ``0.8``)
        drop_degree: degrees in the Laplacian weights, those of the ``'full'`` graph (as printed) or
            of the ``'sampled'`` one. (default: ``'full'``)
        conv_weight: :math:`\mathbf{W}^{(l)}` of eq. 3. (default: ``False``)
        act: :math:`\sigma` of eq. 3, by name. (default: ``None``)
        readout: ``'last'``, ``'mean'`` or ``'sum'`` over the layers. (default: ``'mean'``)
        profile: :class:`~crane_pyg.nn.UserProfile` of eq. 5. (default: ``'sum'``)
        semantic_profile: :class:`~crane_pyg.nn.UserProfile` of eq. 16; ``None`` leaves users
            without a semantic part. (default: ``None``)
        normalize: see :class:`~crane_pyg.nn.RecursiveCrossModalAttention`. (default: ``True``)
        gain: see :class:`~crane_pyg.nn.RecursiveCrossModalAttention`. (default: ``False``)
        refresh: when :class:`~crane_pyg.nn.graphs.RefreshedItemGraph` is rebuilt; ``'step'``, in
            every batch, is what the paper prints. (default: ``4``, every fourth epoch)
        graph_lr: learning rate of the item graph's parameters relative to the others'.
            (default: ``0.1``)
        weight_decay: see :class:`~crane_pyg.nn.models.CRANE`. (default: ``1.5``)
        beta: weight of the contrastive term; zero, which leaves it out, does best on the data here.
            (default: ``0.0``)
        temperature: :math:`\tau` of the contrastive term. (default: ``0.2``)
        l2: weight :math:`\lambda` of the squared norms, which cosines pass over; zero leaves the
            term out. (default: ``0.0``)
        l2_of: what it weighs, see :class:`~crane_pyg.nn.objectives.L2`; the paper has ``'all'``.
            (default: ``'batch'``)
        reduction: ``'mean'`` or ``'sum'`` (as printed) over the batch, of both losses.
            (default: ``'mean'``)
        impl: implementation of :func:`~crane_pyg.ops.tanh_attention`; ``'nystrom'``, in time linear
            in users and items, is exact for 256 of them or fewer, and trains as well as the exact
            ones, which ``'auto'`` chooses among. (default: ``'nystrom'``)
        warm_start: start the item graph from the features' own geometry, see
            :meth:`~crane_pyg.nn.graphs.LearnedItemGraph.warm_start`; the paper has Xavier's
            initialisation throughout. (default: ``True``)
        spectral_start: start the embeddings from the interactions' singular vectors, see
            :func:`~crane_pyg.nn.spectral_start`. (default: ``True``)
        content_term: whether items' features add to their embeddings, see
            :class:`~crane_pyg.nn.ContentTerm`; ``'auto'`` leaves it to the data, see
            :func:`~crane_pyg.nn.choose_content`. The paper has features choose neighbours alone.
            (default: ``'auto'``)
        fit_users: whether users' vectors may be fitted to what they took once the model is trained,
            where that is better on validation, see :class:`~crane_pyg.nn.HistoryFit`.
            (default: ``True``)
        residual: what is added to the scores of the trained model, ``'ease'``, ``'ease-local'``,
            whichever is better (``'auto'``) or ``None``, see :class:`~crane_pyg.nn.Residual`.
            (default: ``'auto'``)
        only_modalities: names of the modalities to use. (default: all)

    Raises:
        ValueError: if a choice is unknown, or a number out of range.
    """

    embedding_dim: int = 64
    num_layers: int = 2
    num_item_layers: int = 1
    num_rounds: int = 1
    k: int = 10
    loop: bool = True
    fusion: FusionName | None = "rca"
    center: bool = True
    dual_fusion: bool = True
    drop_edge: DropMode | Literal["auto"] | None = "auto"
    drop_ratio: float = 0.8
    drop_degree: Degrees = "sampled"
    conv_weight: bool = False
    act: str | None = None
    readout: Readout = "mean"
    profile: ProfileAggregation = "sum"
    semantic_profile: ProfileAggregation | None = None
    normalize: bool = True
    gain: bool = False
    refresh: Refresh = 4
    graph_lr: float = 0.1
    weight_decay: float = 1.5
    ranking: RankingName = "softmax"
    ranking_max_negatives: int = 512
    ranking_similarity: Similarity | Literal["auto"] = "auto"  # type: ignore[assignment]
    beta: float = 0.0
    temperature: float = 0.2
    l2: float = 0.0
    l2_of: Regularised = "batch"
    reduction: Literal["mean", "sum"] = "mean"
    impl: AttentionImpl = "nystrom"
    warm_start: bool = True
    spectral_start: bool = True
    content_term: bool | Literal["auto"] = "auto"
    fit_users: bool = True
    residual: ResidualName | None = "auto"
    only_modalities: list[str] | None = None

    def arguments(self, modalities: Mapping[str, int], num_items: int) -> dict[str, Any]:
        """What the constructor of :class:`~crane_pyg.nn.models.CRANE` takes beside the sizes and
        the content term, see :meth:`content_of`.

        Args:
            modalities: width of the features of each modality, by name.
            num_items: :math:`N`.

        Raises:
            ValueError: if there is no modality but a fusion, or :attr:`only_modalities` names one
                that there is not.
        """
        objective = self._objective()
        return {
            "embedding_dim": self.embedding_dim,
            "encoder": self._encoder(),
            "item_graph": self._item_graph(modalities, num_items),
            "num_item_layers": self.num_item_layers,
            "semantic_profile": self.semantic_profile,
            "dual_fusion": self.dual_fusion,
            "objective": objective,
            "history_fit": HistoryFit(objective.ranking) if self.fit_users else None,
            "residual": self._residual(modalities, num_items),
            "graph_lr": self.graph_lr,
            "weight_decay": self.weight_decay,
        }

    def _residual(self, modalities: Mapping[str, int], num_items: int) -> Residual | None:
        if self.residual is None:
            return None
        content = () if self.fusion is None else self._used(modalities)
        kinds = RESIDUALS[self.residual]
        linears = (kind(num_items, dropout=0.5, damping=0.25) for kind in kinds)
        return Residual(*linears, content=content)

    def _encoder(self) -> CollaborativeEncoder:
        thinning = None
        if self.drop_edge == "auto":
            raise ValueError("drop_edge='auto' asks the data: CRANE.from_data resolves it")
        if self.drop_edge is not None:
            thinning = DegreeThinning(self.drop_edge, self.drop_ratio, self.drop_degree)
        return CollaborativeEncoder(
            self.embedding_dim,
            self.num_layers,
            conv_weight=self.conv_weight,
            act=self.act,
            readout=self.readout,
            thinning=thinning,
        )

    def content_of(self, modalities: Mapping[str, int]) -> ContentTerm | None:
        """What features may add to embeddings, for the modalities that the model reads; ``None``
        where it reads none, or :attr:`content_term` says no.

        Args:
            modalities: width of the features of each modality, by name.

        Raises:
            ValueError: as :meth:`arguments` does.
        """
        used = self._used(modalities)
        if self.fusion is None or not used or not self.content_term:
            return None
        return ContentTerm(used, self.embedding_dim, center=self.center)

    def _used(self, modalities: Mapping[str, int]) -> dict[str, int]:
        if self.only_modalities is None:
            return dict(modalities)
        if not set(self.only_modalities) <= set(modalities):
            raise ValueError(
                f"only_modalities must be some of {[*modalities]} (got {self.only_modalities})"
            )
        return {m: d for m, d in modalities.items() if m in self.only_modalities}

    def _item_graph(self, modalities: Mapping[str, int], num_items: int) -> ItemGraph | None:
        modalities = self._used(modalities)
        if self.fusion is None:
            return None
        check_modalities(modalities, ", or fusion must be None")
        graph = LearnedItemGraph(self._fusion(modalities), self.k, loop=self.loop)
        return RefreshedItemGraph(graph, num_items, self.refresh if graph.learns else None)

    def _fusion(self, modalities: Mapping[str, int]) -> Fusion:
        assert self.fusion is not None
        kind = FUSIONS[self.fusion]
        if not issubclass(kind, RCAFusion):
            return kind(modalities, self.embedding_dim, center=self.center)
        return kind(
            modalities,
            self.embedding_dim,
            center=self.center,
            num_rounds=self.num_rounds,
            profile=self.profile,
            normalize=self.normalize,
            gain=self.gain,
            impl=self.impl,
        )

    def _objective(self) -> Objective:
        contrastive = None
        if self.beta > 0:
            contrastive = InfoNCE(self.beta, self.temperature, self.reduction)
        ranking = self.ranking_loss(self.reduction)
        regulariser = L2(self.l2, self.l2_of) if self.l2 > 0 else None
        return Objective(ranking, contrastive, regulariser)

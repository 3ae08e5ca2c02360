from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Embedding, ModuleList
from torch_geometric.data import Data, HeteroData
from torch_geometric.nn.resolver import activation_resolver
from typing_extensions import Self

from crane_pyg.nn.conv import BipartiteConv, SemanticConv, UserProfile
from crane_pyg.nn.item_graph import ItemGraph
from crane_pyg.nn.models.recommender import Preset, Recommender, l2_of_batch
from crane_pyg.nn.objectives import bpr_loss, info_nce_loss
from crane_pyg.nn.refreshed_graph import RefreshedGraph
from crane_pyg.ops import CSRGraph
from crane_pyg.schema import modalities
from crane_pyg.transforms import bipartite_norm, degree_drop_edge


class Views(NamedTuple):
    """Collaborative and semantic embeddings, ``[M, d]`` of users and ``[N, d]`` of items."""

    e_user: Tensor
    h_user: Tensor
    e_item: Tensor
    h_item: Tensor

    def rows(self, user: Tensor, item: Tensor) -> "Views":
        """Both views of some users and items."""
        pairs = zip(self, (user, user, item, item), strict=True)
        return Views(*(x.index_select(0, rows) for x, rows in pairs))

    def fuse(self) -> tuple[Tensor, Tensor]:
        r"""Eq. 17, :math:`\mathbf{z} = \mathbf{e} + \mathbf{h}`, for users and for items."""
        return self.e_user + self.h_user, self.e_item + self.h_item


class CRANE(Recommender):
    r"""CRANE from "Cross-Modal Attention Network with Dual Graph Learning in Multimodal
    Recommendation" (ACM TOMM, 2026).

    Collaborative embeddings :math:`\mathbf{e}` come from the user-item graph (eq. 1-4), semantic
    ones :math:`\mathbf{h}` by passing :math:`\mathbf{e}_i` over an item-item graph that recursive
    cross-modal attention builds (eq. 5-15) and on to the users (eq. 16); a pair scores

    .. math::
        \hat{y}_{ui} = (\mathbf{e}_u + \mathbf{h}_u)^{\top} (\mathbf{e}_i + \mathbf{h}_i).

    As printed the recipe loses to LightGCN on real data, so the defaults are the reading that does
    best on validation (``benchmarks/results/``); ``CRANE.preset('paper')`` is the letter, and
    ``CRANE.preset('baby')`` and so on are the letter with Table 3's values.

    Args:
        num_users, num_items (int): sizes.
        modalities (dict): width of the features of each modality, by name.
        embedding_dim (int): :math:`d`. (default: ``64``)
        num_layers (int): :math:`L_{UI}`. (default: ``2``)
        num_item_layers (int): :math:`L_{II}`. (default: ``1``)
        num_rounds (int): :math:`R`, rounds of attention. (default: ``1``)
        k (int): neighbours of each item. (default: ``5``)
        loop (bool): whether an item is the first of its own neighbours; the paper does not say.
            (default: ``True``)
        fusion (str, optional): ``'rca'``; ``'concat'`` links items by their raw features instead,
            ``'projected'``, ``'sum'`` and ``'mean'`` by other means that
            :class:`~crane_pyg.nn.ItemGraph` lists; ``None`` leaves the item graph and all that
            follows from it out. (default: ``'rca'``)
        center (bool): take the mean of each modality's features away; the paper does not.
            (default: ``True``)
        dual_fusion (bool): false trains the two branches apart, each with embeddings and a ranking
            loss of its own, and adds up their scores: :math:`\mathbf{z} = [\mathbf{e} ;
            \mathbf{h}]`, twice as wide. (default: ``True``)
        drop_edge (str, optional): ``'bernoulli'`` (eq. 2) or ``'multinomial'``, drawn anew each
            epoch, see :func:`~crane_pyg.transforms.degree_drop_edge`. (default: ``None``)
        drop_ratio (float): share that ``'multinomial'`` drops. (default: ``0.8``)
        drop_degree (str): degrees in the Laplacian weights, those of the ``'full'`` graph (the
            letter) or of the ``'sampled'`` one. (default: ``'full'``)
        conv_weight (bool): :math:`\mathbf{W}^{(l)}` of eq. 3. (default: ``False``)
        act (str, optional): :math:`\sigma` of eq. 3, by name. (default: ``None``)
        readout (str): ``'last'``, ``'mean'`` or ``'sum'`` over the layers. (default: ``'mean'``)
        profile (str): :class:`~crane_pyg.nn.UserProfile` of eq. 5. (default: ``'sum'``)
        semantic_profile (str): that of eq. 16. (default: ``'sqrt'``)
        normalize, gain (bool): of :class:`~crane_pyg.nn.RecursiveCrossModalAttention`.
            (default: ``True``, ``False``)
        refresh (int or str, optional): when the item graph is rebuilt, see
            :class:`~crane_pyg.nn.RefreshedGraph`; ``'step'``, in every batch, is the letter.
            (default: ``'epoch'``)
        graph_lr (float): learning rate of the item graph's parameters relative to the others'.
            (default: ``0.1``)
        beta (float): weight of the contrastive term; on the data we have, none does best.
            (default: ``0.0``)
        temperature (float): :math:`\tau`. (default: ``0.2``)
        l2 (float): weight :math:`\lambda` of the squared norms. (default: ``1e-3``)
        l2_of (str): what it weighs: ``'batch'``, half the embeddings of the batch per row, or
            ``'all'`` parameters (the letter). (default: ``'batch'``)
        reduction (str): ``'mean'`` or ``'sum'`` (the letter) over the batch, of both losses.
            (default: ``'mean'``)
        impl (str): of :func:`~crane_pyg.ops.tanh_attention`. (default: ``'auto'``)

    Raises:
        ValueError: if an option is unknown, there is no modality but a fusion, or branches trained
            apart lack an item graph or have a contrastive term.
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
        num_rounds: int = 1,
        k: int = 5,
        loop: bool = True,
        fusion: str | None = "rca",
        center: bool = True,
        dual_fusion: bool = True,
        drop_edge: str | None = None,
        drop_ratio: float = 0.8,
        drop_degree: str = "full",
        conv_weight: bool = False,
        act: str | None = None,
        readout: str = "mean",
        profile: str = "sum",
        semantic_profile: str = "sqrt",
        normalize: bool = True,
        gain: bool = False,
        refresh: int | str | None = "epoch",
        graph_lr: float = 0.1,
        beta: float = 0.0,
        temperature: float = 0.2,
        l2: float = 1e-3,
        l2_of: str = "batch",
        reduction: str = "mean",
        impl: str = "auto",
    ) -> None:
        super().__init__()
        _check_choice("drop_edge", drop_edge, (None, "bernoulli", "multinomial"))
        _check_choice("drop_degree", drop_degree, ("full", "sampled"))
        _check_choice("readout", readout, ("last", "mean", "sum"))
        _check_choice("l2_of", l2_of, ("batch", "all"))
        _check_choice("reduction", reduction, ("mean", "sum"))
        if not dual_fusion and (fusion is None or beta > 0):
            raise ValueError(
                "branches trained apart need an item graph and no contrastive term "
                f"(got dual_fusion=False, fusion={fusion!r}, beta={beta})"
            )
        self.num_item_layers = num_item_layers
        self.drop_edge, self.drop_ratio, self.drop_degree = drop_edge, drop_ratio, drop_degree
        self.readout = readout
        self.graph_lr = graph_lr
        self.beta, self.temperature, self.reduction = beta, temperature, reduction
        self.l2, self.l2_of = l2, l2_of

        self.user_embedding = Embedding(num_users, embedding_dim)
        self.item_embedding = Embedding(num_items, embedding_dim)
        width = embedding_dim if conv_weight else None
        sigma = None if act is None else activation_resolver(act)
        self.convs = ModuleList(BipartiteConv(width, act=sigma) for _ in range(num_layers))
        self.semantic_conv = SemanticConv()
        self.semantic_profile = UserProfile(semantic_profile, embedding_dim)
        self.item_graph: ItemGraph | None = None
        if fusion is not None:
            self.item_graph = ItemGraph(
                modalities,
                embedding_dim,
                k,
                loop=loop,
                fusion=fusion,
                center=center,
                num_rounds=num_rounds,
                profile=profile,
                normalize=normalize,
                gain=gain,
                impl=impl,
            )
            self.similar = RefreshedGraph(
                num_items, self.item_graph.degree, refresh if self.item_graph.learns else None
            )
        self.semantic_embedding = None if dual_fusion else Embedding(num_items, embedding_dim)
        self.reset_parameters()

    @classmethod
    def from_data(
        cls,
        data: HeteroData,
        *,
        warm_start: bool = True,
        only_modalities: list[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Construct with the sizes of ``data``.

        Args:
            data: the graph.
            warm_start: call :meth:`~crane_pyg.nn.ItemGraph.warm_start`; the paper has Xavier's
                initialisation throughout.
            only_modalities: the modalities to use. (default: all that ``data`` has)
            **kwargs: of the constructor.

        Raises:
            ValueError: if ``data`` lacks a modality.
        """
        size = (data["user"].num_nodes, data["item"].num_nodes)
        widths = modalities(data)
        if only_modalities is not None:
            if not set(only_modalities) <= set(widths):
                raise ValueError(
                    f"only_modalities must be some of {[*widths]} (got {only_modalities})"
                )
            widths = {m: width for m, width in widths.items() if m in only_modalities}
        model = cls(*size, widths, **kwargs)
        if warm_start and model.item_graph is not None:
            to_user = _unweighted(model.user_item_graphs(data)[1])
            model.item_graph.warm_start(*model._features(data), to_user)
        return model

    @classmethod
    def skeleton(cls, data: HeteroData, **kwargs: Any) -> Self:
        return cls.from_data(data, **kwargs | {"warm_start": False})

    @classmethod
    def preset(cls, name: str) -> Preset:
        _check_choice("preset", name, tuple(PRESETS))
        return PRESETS[name]

    def reset_parameters(self) -> None:
        torch.nn.init.xavier_uniform_(self.user_embedding.weight)
        torch.nn.init.xavier_uniform_(self.item_embedding.weight)
        if self.semantic_embedding is not None:
            torch.nn.init.xavier_uniform_(self.semantic_embedding.weight)
        modules = [*self.convs, self.semantic_profile]
        if self.item_graph is not None:
            modules += [self.item_graph, self.similar]
        for module in modules:
            module.reset_parameters()
        self._sampled: tuple[CSRGraph, CSRGraph] | None = None
        self._sampled_from: CSRGraph | None = None

    def parameter_groups(self, lr: float) -> list[dict[str, Any]]:
        if self.item_graph is None:
            return super().parameter_groups(lr)
        named = list(self.named_parameters())
        rest = [p for name, p in named if not name.startswith("item_graph.")]
        graph = list(self.item_graph.parameters())
        return [{"params": rest, "lr": lr}, {"params": graph, "lr": lr * self.graph_lr}]

    def start_epoch(self, data: HeteroData) -> None:
        self._sampled = None
        if self.item_graph is not None:
            self.similar.start_epoch()

    def forward(self, data: HeteroData) -> tuple[Tensor, Tensor]:
        users, items = zip(*self._ranked(self.views(data)), strict=True)
        return torch.cat(users, dim=1), torch.cat(items, dim=1)

    def _ranked(self, views: Views) -> list[tuple[Tensor, Tensor]]:
        """Users and items of each ranking that is learned: of the fused views, or of either."""
        if self.semantic_embedding is None:
            return [views.fuse()]
        return [(views.e_user, views.e_item), (views.h_user, views.h_item)]

    def views(self, data: HeteroData) -> Views:
        """Both views of all users and items."""
        full = self.user_item_graphs(data)
        graphs = full
        if self.training and self.drop_edge is not None:
            graphs = self._sample(full[0], self.drop_edge)
        e_user, e_item = self._collaborate(*graphs)
        if self.item_graph is None:
            return Views(e_user, torch.zeros_like(e_user), e_item, torch.zeros_like(e_item))
        similar, h_item = self._similar_items(data), e_item
        if self.semantic_embedding is not None:
            h_item = self.semantic_embedding.weight
        for _ in range(self.num_item_layers):
            h_item = self.semantic_conv(h_item, similar)
        h_user = self.semantic_profile(h_item, _unweighted(full[1]))
        return Views(e_user, h_user, e_item, h_item)

    def _collaborate(self, to_item: CSRGraph, to_user: CSRGraph) -> tuple[Tensor, Tensor]:
        """Eq. 3-4 and the readout over layers."""
        user, item = self.user_embedding.weight, self.item_embedding.weight
        users, items = [user], [item]
        for conv in self.convs:
            user, item = conv((item, None), to_user), conv((user, None), to_item)
            users.append(user)
            items.append(item)
        if self.readout == "last":
            return user, item
        scale = 1 / len(users) if self.readout == "mean" else 1.0
        return scale * sum(users[1:], users[0]), scale * sum(items[1:], items[0])

    def _sample(self, graph: CSRGraph, mode: str) -> tuple[CSRGraph, CSRGraph]:
        """Eq. 2, drawn once an epoch."""
        if self._sampled is None or self._sampled_from is not graph:
            edge_index, size = graph.edge_index, (graph.num_src, graph.num_dst)
            kept = degree_drop_edge(edge_index, size, mode=mode, ratio=self.drop_ratio)
            sample = graph.select(kept)
            if self.drop_degree == "sampled":
                sample = sample.with_weight(bipartite_norm(sample.edge_index, size))
            self._sampled, self._sampled_from = (sample, sample.transpose()), graph
        return self._sampled

    def _similar_items(self, data: HeteroData) -> CSRGraph:
        def build() -> tuple[Tensor, Tensor]:
            assert self.item_graph is not None
            to_user = _unweighted(self.user_item_graphs(data)[1])
            edges: tuple[Tensor, Tensor] = self.item_graph(*self._features(data), to_user)
            return edges

        return self.similar(build)

    def _features(self, data: HeteroData) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Features and masks by modality, as the item graph takes them."""
        assert self.item_graph is not None
        names, store = self.item_graph.modalities, data["item"]
        return {m: store[f"x_{m}"] for m in names}, {m: store[f"{m}_mask"] for m in names}

    def similar_items(self, data: HeteroData) -> Data:
        """The item-item graph in use, with ``edge_index`` ``[2, N * k]`` and ``edge_weight``.

        Raises:
            ValueError: if the model has none.
        """
        if self.item_graph is None:
            raise ValueError("a model with fusion=None has no item graph")
        graph = self._similar_items(data)
        return Data(
            edge_index=graph.edge_index,
            edge_weight=graph.weight.detach(),
            num_nodes=graph.num_dst,
        )

    def loss(self, data: HeteroData, user: Tensor, pos: Tensor, neg: Tensor) -> dict[str, Tensor]:
        # Gathered once per distinct node: each gather costs a pass over all nodes in backward. What
        # repeats is gathered by F.embedding, whose backward is deterministic on CUDA too.
        users, user_row = torch.unique(user, return_inverse=True)
        items, item_rows = torch.unique(torch.stack([pos, neg]), return_inverse=True)
        views = self.views(data).rows(users, items)
        losses = []
        for z_user, z_item in self._ranked(views):
            score = (F.embedding(user_row, z_user) * F.embedding(item_rows, z_item)).sum(-1)
            losses.append(bpr_loss(*score, reduction=self.reduction))  # of [2, B]
        terms = {"bpr": torch.stack(losses).sum()}
        if self.beta > 0 and self.item_graph is not None:
            terms["contrastive"] = self.beta * self._contrast(views, item_rows[0])
        if self.l2_of == "all":
            norms = torch.stack([p.square().sum() for p in self.parameters()]).sum()
        else:
            item = [*self.item_embedding(torch.stack([pos, neg]))]
            if self.semantic_embedding is not None:
                item += self.semantic_embedding(torch.stack([pos, neg]))
            norms = l2_of_batch(self.user_embedding(user), *item)
        terms["l2"] = self.l2 * norms
        return terms

    def _contrast(self, views: Views, pos_row: Tensor) -> Tensor:
        """Eq. 19 over the distinct users and positive items of the batch."""
        pos = torch.unique(pos_row)
        e_item, h_item = views.e_item.index_select(0, pos), views.h_item.index_select(0, pos)
        losses = [
            info_nce_loss(e, h, temperature=self.temperature, reduction=self.reduction)
            for e, h in ((views.e_user, views.h_user), (e_item, h_item))
        ]
        return losses[0] + losses[1]

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.user_embedding.num_embeddings}, "
            f"{self.item_embedding.num_embeddings}, {self.user_embedding.embedding_dim}, "
            f"num_layers={len(self.convs)}, num_item_layers={self.num_item_layers}, "
            f"item_graph={self.item_graph})"
        )


def _unweighted(graph: CSRGraph) -> CSRGraph:
    ones = torch.ones_like(graph.weight)
    return graph._replace(weight=ones, weight_t=ones)


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices} (got {value!r})")


PAPER: dict[str, Any] = {
    "warm_start": False,
    "center": False,
    "drop_edge": "bernoulli",
    "conv_weight": True,
    "act": "relu",
    "readout": "last",
    "profile": "sum",
    "semantic_profile": "sum",
    "normalize": False,
    "refresh": "step",
    "graph_lr": 1.0,
    "l2_of": "all",
    "reduction": "sum",
}


def _table3(
    num_rounds: int, k: int, l2: float, temperature: float, beta: float, lr: float
) -> Preset:
    """A column of Table 3; what its rows have in common is written out here."""
    model = {
        "num_layers": 2,
        "num_item_layers": 1,
        "num_rounds": num_rounds,
        "k": k,
        "embedding_dim": 64,
    }
    loss = {"l2": l2, "temperature": temperature, "beta": beta}
    fit = {"lr": lr, "batch_size": 1024, "epochs": 250, "patience": 5}
    return Preset(PAPER | model | loss, fit)


PRESETS = {
    "paper": _table3(3, 15, l2=1e-3, temperature=0.6, beta=0.8, lr=1e-4),
    "baby": _table3(3, 15, l2=1e-3, temperature=0.6, beta=0.8, lr=1e-4),
    "sports": _table3(2, 15, l2=1e-3, temperature=0.5, beta=0.7, lr=5e-5),
    "clothing": _table3(3, 10, l2=1e-3, temperature=0.4, beta=0.7, lr=1e-4),
    "electronics": _table3(3, 10, l2=5e-4, temperature=0.5, beta=0.6, lr=1e-4),
}

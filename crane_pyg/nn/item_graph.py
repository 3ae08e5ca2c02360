from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import ModuleDict
from torch_geometric.nn import Linear
from torch_geometric.nn.inits import reset

from crane_pyg.nn.attention import RecursiveCrossModalAttention
from crane_pyg.nn.conv import UserProfile
from crane_pyg.ops import CSRGraph, csr_graph, graph_recall, modality_knn_graph, unit_rows
from crane_pyg.ops.graph_recall import Recall
from crane_pyg.transforms import row_normalize

FUSIONS = ("rca", "concat", "projected", "sum", "mean")
SHARES = (1.0, 0.5, 0.25)  # of a modality, beside the best one
ROUNDING = 1e-5  # what a row of length one may be off its own copy


class ItemGraph(torch.nn.Module):
    r"""Learns which items resemble each other: profiles, attention, nearest neighbours (eq. 5-14).

    Item features are projected to :obj:`channels`, summed up into user profiles, refined by
    :class:`RecursiveCrossModalAttention` over users and items together, and each item is linked to
    its :math:`k` nearest in :math:`\mathbf{X}_{att}` by cosine over the modalities that it has, see
    :func:`~crane_pyg.ops.modality_knn_graph`. Which neighbours are chosen is discrete; their
    weights are differentiable.

    Args:
        modalities (dict): width of the features of each modality, by name.
        channels (int): width :math:`d` after projection. (default: ``64``)
        k (int): neighbours of each item. (default: ``10``)
        loop (bool): whether an item is the first of its own neighbours. (default: ``True``)
        fusion (str): ``'rca'``, or what Figure 4 compares it with: ``'projected'`` concatenates the
            projected modalities, each row normalised, ``'sum'`` adds them up, ``'mean'`` takes the
            mean of their graphs, :math:`k` neighbours in each. ``'concat'`` concatenates the raw
            features, which have nothing to learn. (default: ``'rca'``)
        center (bool): take the mean of each modality away, of rows of length one, so that cosines
            tell apart what encoders put into a narrow cone. (default: ``True``)
        num_rounds (int): rounds of attention. (default: ``1``)
        profile (str): aggregation of :class:`UserProfile`. (default: ``'sum'``)
        normalize, gain (bool): of :class:`RecursiveCrossModalAttention`.
            (default: ``True``, ``False``)
        impl (str): of :func:`~crane_pyg.ops.tanh_attention`. (default: ``'auto'``)

    Shapes:
        - **features:** by modality ``[N, d_m]``; only the directions of their rows matter
        - **masks:** by modality ``[N]`` bool, false where an item lacks it
        - **to_user:** item-to-user :class:`~crane_pyg.ops.CSRGraph` with weights of one
        - **output:** ``edge_index`` ``[2, E]``, neighbours first, and weights ``[E]`` that sum to
          one over each item; an item without any modality has no edges

    Raises:
        ValueError: if there is no modality, or the fusion is unknown.
    """

    modality_share: Tensor

    def __init__(
        self,
        modalities: Mapping[str, int],
        channels: int = 64,
        k: int = 10,
        *,
        loop: bool = True,
        fusion: str = "rca",
        center: bool = True,
        num_rounds: int = 1,
        profile: str = "sum",
        normalize: bool = True,
        gain: bool = False,
        impl: str = "auto",
    ) -> None:
        super().__init__()
        if not modalities:
            raise ValueError("the data must have item features (got no modality)")
        if fusion not in FUSIONS:
            raise ValueError(f"fusion must be one of {', '.join(FUSIONS)} (got {fusion!r})")
        self.modalities = dict(modalities)
        self.channels = channels
        self.k = k
        self.loop = loop
        self.fusion = fusion
        self.center = center
        self.register_buffer("modality_share", torch.ones(len(modalities)))
        if self.learns:
            self.lin = ModuleDict(
                {
                    m: Linear(width, channels, bias=False, weight_initializer="glorot")
                    for m, width in modalities.items()
                }
            )
        if fusion == "rca":
            self.profile = ModuleDict({m: UserProfile(profile, channels) for m in modalities})
            self.rca = RecursiveCrossModalAttention(
                dict.fromkeys(modalities, channels),
                num_rounds,
                normalize=normalize,
                gain=gain,
                impl=impl,
            )
        self.reset_parameters()

    @property
    def learns(self) -> bool:
        """Whether the graph changes in training."""
        return self.fusion != "concat"

    @property
    def degree(self) -> int:
        """Edges of each item that has any modality."""
        return self.k * (len(self.modalities) if self.fusion == "mean" else 1)

    def reset_parameters(self) -> None:
        torch.nn.init.ones_(self.modality_share)
        for module in self.children():
            reset(module)

    @torch.no_grad()
    def warm_start(
        self, features: Mapping[str, Tensor], masks: Mapping[str, Tensor], to_user: CSRGraph
    ) -> None:
        r"""Start from the features' own geometry, which random weights blur.

        The projection becomes the top singular vectors of the features, which keeps cosines as well
        as any linear map to :obj:`channels` can, and :math:`\mathbf{W}_f` the identity. Modalities
        are weighed by how well the graph then recommends, see
        :func:`~crane_pyg.ops.graph_recall`: starting from the best one, each of the others in turn
        gets the best of :data:`SHARES`, or none where even the smallest does harm by more than the
        standard error. Only items that have all of them count here.

        Args:
            features, masks, to_user: as :meth:`forward` takes them.
        """
        xs = {}
        for m, x in self._unit(features, masks).items():
            rank = min(self.channels, *x.shape)
            basis = torch.svd_lowrank(x, rank)[2]  # [d_m, rank]
            xs[m] = x @ basis
            if self.learns:
                self.get_parameter(f"lin.{m}.weight").zero_()[:rank] = basis.T
            if self.fusion == "rca":
                torch.nn.init.eye_(self.get_parameter(f"rca.lin_self.{m}.weight"))
        # Among items that have all modalities: gaps say nothing of what a modality is worth.
        complete = torch.stack([masks[m] for m in xs]).all(0)
        if len(xs) > 1 and complete.sum() > self.k:  # else every item is a neighbour
            self._choose_weights(xs, complete, to_user)

    def _choose_weights(
        self, xs: Mapping[str, Tensor], complete: Tensor, to_user: CSRGraph
    ) -> None:
        def recall(shares: Mapping[str, float]) -> Recall:
            parts = [share * xs[m] for m, share in shares.items()]
            edges = self._link(parts, [complete] * len(parts), loop=False)
            return graph_recall(csr_graph(*edges, size=(to_user.num_src,) * 2), to_user)

        alone = {m: recall({m: 1.0}) for m in xs}
        first, *others = sorted(xs, key=lambda m: -alone[m].mean)
        shares, best = {first: 1.0}, alone[first]
        for m in others:
            found = {share: recall({**shares, m: share}) for share in SHARES}
            share = max(found, key=lambda share: found[share].mean)
            if found[share].mean >= best.mean - best.error:
                shares[m], best = share, found[share]
        self.modality_share.copy_(self.modality_share.new_tensor([shares.get(m, 0.0) for m in xs]))

    def forward(
        self,
        features: Mapping[str, Tensor],
        masks: Mapping[str, Tensor],
        to_user: CSRGraph,
    ) -> tuple[Tensor, Tensor]:
        x = self.embed(features, masks, to_user)
        present = [masks[m] for m in self.modalities]
        if self.fusion == "mean":
            return self._mean(x, present)
        if self.fusion == "sum":
            return self._link([x], [torch.stack(present).any(0)], loop=self.loop)
        return self._link(self._parts(x), present, loop=self.loop)

    def _link(
        self, parts: Sequence[Tensor], present: Sequence[Tensor], *, loop: bool
    ) -> tuple[Tensor, Tensor]:
        edge_index, weight = modality_knn_graph(parts, present, self.k, loop=loop)
        return edge_index, row_normalize(edge_index, weight, parts[0].size(0))

    def _mean(self, x: Tensor, present: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The mean over the modalities that an item has; what it lacks are edges that weigh 0."""
        edges, weights = [], []
        known = torch.stack(list(present)).any(0)
        shares = self.modality_share.square()  # as in the inner product of what is concatenated
        for share, part, mask in zip(shares, self._parts(x), present, strict=True):
            edge_index, weight = self._link([part], [mask], loop=self.loop)
            lacking = (known & ~mask).nonzero().view(-1).repeat_interleave(self.k)
            edges += [edge_index, lacking.expand(2, -1)]
            weights += [share * weight, weight.new_zeros(lacking.numel())]
        edge_index, weight = torch.cat(edges, dim=1), torch.cat(weights)
        order = edge_index[1].argsort(stable=True)
        edge_index = edge_index[:, order]
        return edge_index, row_normalize(edge_index, weight[order], known.numel())

    def embed(
        self,
        features: Mapping[str, Tensor],
        masks: Mapping[str, Tensor],
        to_user: CSRGraph,
    ) -> Tensor:
        r"""What items are compared by: the items' rows of :math:`\mathbf{X}_{att}`, or what another
        fusion has in their place; with ``'mean'`` each modality by itself, side by side.
        """
        xs = self._unit(features, masks)
        if self.fusion in ("projected", "sum", "mean"):  # rows as the attention's rounds have them
            unit = [unit_rows(self.lin[m](x)).to(x.dtype) for m, x in xs.items()]
            out = self._weigh(torch.cat(unit, dim=1))
            return torch.stack(self._parts(out)).sum(0) if self.fusion == "sum" else out
        if self.fusion == "concat":
            return self._weigh(torch.cat(list(xs.values()), dim=1))
        joined, present = {}, {}
        for m, x in xs.items():
            item = self.lin[m](x)
            user = self.profile[m](item, to_user, mask=masks[m])
            has_any = torch.zeros(to_user.num_dst, dtype=torch.bool, device=x.device)
            has_any[to_user.dst[masks[m][to_user.col]]] = True
            joined[m] = torch.cat([user, item])  # [M + N, d]
            present[m] = torch.cat([has_any, masks[m]])
        return self._weigh(self.rca(joined, present, query=slice(to_user.num_dst, None)))

    def _weigh(self, x: Tensor) -> Tensor:
        parts = zip(self.modality_share, self._parts(x), strict=True)
        return torch.cat([weight * part for weight, part in parts], dim=1)

    def _parts(self, x: Tensor) -> tuple[Tensor, ...]:
        """The columns of each modality."""
        widths = [self.channels] * len(self.modalities)
        if self.fusion == "concat":
            widths = list(self.modalities.values())
        return torch.split(x, widths, dim=1)

    def _unit(
        self, features: Mapping[str, Tensor], masks: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Rows of length one, or zero where the item lacks the modality or is its very mean."""
        xs = {}
        for m in self.modalities:
            lacking = ~masks[m].unsqueeze(1)
            x = F.normalize(features[m], dim=1).masked_fill(lacking, 0)
            if self.center:
                x = (x - x.sum(0) / masks[m].sum().clamp(min=1)).masked_fill(lacking, 0)
                norm = torch.linalg.vector_norm(x, dim=1, keepdim=True)
                x = x / norm.masked_fill(norm < ROUNDING, torch.inf)
            xs[m] = x
        return xs

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.modalities}, k={self.k}, fusion={self.fusion!r})"

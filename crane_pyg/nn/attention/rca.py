from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Linear, Parameter

from crane_pyg.choices import check_choice
from crane_pyg.nn.by_modality import ByModality
from crane_pyg.ops import AttentionImpl, tanh_attention, unit_rows


class RecursiveCrossModalAttention(torch.nn.Module):
    r"""Recursive cross-modal attention of CRANE (eq. 7-13, Algorithm 1).

    A round mixes the modalities of every entity and lets every entity gather, in each modality
    :math:`m`, from all entities that resemble the mixture; the rounds share their weights.

    .. math::
        \mathbf{P}^m &= ([\mathbf{X}^1 ; \ldots ; \mathbf{X}^K] \mathbf{W}_{tr} + \mathbf{b}_{tr})
        \mathbf{W}_m \\
        \mathbf{F}^m &= \mathrm{ReLU} \big( \tanh(\mathbf{X}^m {\mathbf{P}^m}^{\top}) \mathbf{X}^m
        \mathbf{W}^m_a \big) \\
        \mathbf{X}^m &\leftarrow \mathbf{F}^m + \mathbf{X}^m \mathbf{W}^m_f

    As printed the rounds blow up: after the first, nearly every tanh is saturated and all entities
    look alike. So rows are L2-normalised before each round and the paper's sum over entities is a
    mean, unless :obj:`normalize` is false.

    Args:
        channels (dict): width of each modality, by name; any number of them.
        num_rounds (int): :math:`R \ge 1`. (default: ``1``)
        normalize (bool): normalised rows and a mean over the entities; the paper prints neither.
            (default: ``True``)
        gain (bool): learn a factor per modality for :math:`\mathbf{F}^m`, 1 at first.
            (default: ``False``)
        impl (str): implementation of :func:`~crane_pyg.ops.tanh_attention`: an exact one, or
            ``'nystrom'``, in time linear in the entities. (default: ``'auto'``)

    Raises:
        ValueError: if there is no modality or no round, the implementation is unknown, the names or
            widths of the inputs do not match :obj:`channels`, the inputs differ in their number of
            rows, or a mask has another name, shape or type.
    """

    def __init__(
        self,
        channels: Mapping[str, int],
        num_rounds: int = 1,
        *,
        normalize: bool = True,
        gain: bool = False,
        impl: AttentionImpl = "auto",
    ) -> None:
        super().__init__()
        if not channels:
            raise ValueError("channels must name at least one modality (got none)")
        if num_rounds < 1:
            raise ValueError(f"num_rounds must be at least 1 (got {num_rounds})")
        check_choice("impl", impl, AttentionImpl)
        self.channels = dict(channels)
        self.num_rounds = num_rounds
        self.normalize = normalize
        self.impl = impl

        joint = sum(channels.values())
        self.lin_joint = Linear(joint, joint)
        self.lin_anchor = ByModality({m: Linear(joint, d, bias=False) for m, d in channels.items()})
        self.lin_attn = ByModality({m: Linear(d, d, bias=False) for m, d in channels.items()})
        self.lin_self = ByModality({m: Linear(d, d, bias=False) for m, d in channels.items()})
        self.gain = Parameter(torch.ones(len(channels))) if gain else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        for lin in self.modules():
            if isinstance(lin, Linear):
                torch.nn.init.xavier_uniform_(lin.weight)
                if lin.bias is not None:
                    torch.nn.init.zeros_(lin.bias)
        if self.gain is not None:
            torch.nn.init.ones_(self.gain)

    def forward(
        self,
        xs: Mapping[str, Tensor],
        masks: Mapping[str, Tensor] | None = None,
        query: slice | Tensor | None = None,
    ) -> Tensor:
        r"""The refined features of the entities.

        Args:
            xs (dict): features by modality.
            masks (dict, optional): by modality, which entities have it. One that does not, whose
                row may hold anything, neither attends nor is attended to there, and is zero in the
                output. (default: all have it)
            query (slice or Tensor, optional): which rows are wanted from the last round; only these
                are computed there. (default: all)

        Shapes:
            - **xs:** by modality ``[n, d_m]``
            - **masks:** by modality ``[n]`` bool
            - **query:** a slice, or indices ``[num_query]``
            - **output:** :math:`\mathbf{X}_{att}`, ``[num_query, sum of d_m]``
        """
        masks = masks or {}
        self._check(xs, masks)
        masks = {m: mask for m, mask in masks.items() if not mask.all()}
        xs = {m: _masked(xs[m], masks.get(m)) for m in self.channels}
        for round_ in range(self.num_rounds):
            rows = query if query is not None and round_ == self.num_rounds - 1 else slice(None)
            if self.normalize:
                xs = {m: unit_rows(x).to(x.dtype) for m, x in xs.items()}
            out = {}
            for m, x in xs.items():
                gathered = tanh_attention(x[rows], self._anchor(m, xs), x, impl=self.impl)
                if self.normalize:
                    count = masks[m].sum().clamp(min=1) if m in masks else max(1, x.size(0))
                    gathered = gathered / count
                mask = masks[m][rows] if m in masks else None
                out[m] = _masked(self._refine(m, gathered, x[rows]), mask)
            xs = out
        return torch.cat(list(xs.values()), dim=1)

    def _anchor(self, modality: str, xs: Mapping[str, Tensor]) -> Tensor:
        """Two linear maps as one, a modality at a time, which spares what is between them and what
        goes in: both as large as all entities."""
        weight = self.lin_anchor[modality].weight
        out = weight @ self.lin_joint.bias
        parts = torch.split(weight @ self.lin_joint.weight, [*self.channels.values()], dim=1)
        for x, part in zip(xs.values(), parts, strict=True):
            out = torch.addmm(out, x, part.T)
        return out

    def _refine(self, modality: str, gathered: Tensor, x: Tensor) -> Tensor:
        refined = F.relu(self.lin_attn[modality](gathered))  # [num_query, d_m]
        if self.gain is not None:
            refined = refined * self.gain[list(self.channels).index(modality)]
        return refined + self.lin_self[modality](x)

    def _check(self, xs: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
        if set(xs) != set(self.channels):
            raise ValueError(
                f"xs must hold the modalities {sorted(self.channels)} (got {sorted(xs)})"
            )
        for m, width in self.channels.items():
            if xs[m].dim() != 2 or xs[m].size(1) != width:
                raise ValueError(f"xs[{m!r}] must be [n, {width}] (got {list(xs[m].shape)})")
        rows = {m: x.size(0) for m, x in xs.items()}
        if len(set(rows.values())) > 1:
            raise ValueError(f"xs must have equally many rows (got {rows})")
        for m, mask in masks.items():
            if m not in xs:
                raise ValueError(f"masks may name {sorted(self.channels)} (got {m!r})")
            if mask.dtype != torch.bool or mask.shape != (rows[m],):
                raise ValueError(
                    f"masks[{m!r}] must be [{rows[m]}] bool (got {list(mask.shape)} {mask.dtype})"
                )

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.channels}, num_rounds={self.num_rounds}, "
            f"normalize={self.normalize})"
        )


def _masked(x: Tensor, mask: Tensor | None) -> Tensor:
    return x if mask is None else x.masked_fill(~mask.unsqueeze(1), 0)

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.kept import KeptFor
from crane_pyg.ops import some_of

ROUNDING = 1e-5  # what a row of length one may be off its own copy
_BLOCK = 1 << 24  # numbers that are prepared at once: 64 MB
_MOST_ROWS = 16_384  # that singular vectors are found from


class UnitFeatures:
    """Features with rows of length one, some rows at a time.

    A copy of them all would take as much memory as they do, and more where a file of half precision
    is mapped: of a large catalogue, gigabytes.

    Args:
        x (Tensor): the features, of any precision.
        mask (Tensor): items that have them.
        center (bool): subtract the mean of the rows of length one, and scale them again.

    Shapes:
        - **x:** ``[N, d_m]``, **mask:** ``[N]`` bool
    """

    def __init__(self, x: Tensor, mask: Tensor, center: bool) -> None:
        self.x = x
        self.mask = mask
        self.rows = max(1, _BLOCK // max(1, x.size(1)))
        self.mean: Tensor | None = None
        if center:
            total = torch.stack([block.sum(0) for block in self.blocks()]).sum(0)
            self.mean = total / mask.sum().clamp(min=1)

    def blocks(self) -> Iterator[Tensor]:
        """The rows in their order, zeros where an item lacks the modality or is its very mean."""
        parts = zip(*(torch.split(t, self.rows) for t in (self.x, self.mask)), strict=True)
        return (self._prepare(x, ~mask.unsqueeze(1)) for x, mask in parts)

    def all(self) -> Tensor:
        """All rows at once, ``[N, d_m]``."""
        return torch.cat([*self.blocks()]) if self._many else next(self.blocks())

    def some(self, items: Tensor) -> Tensor:
        """Some rows, ``[n, d_m]``."""
        return self._prepare(self.x[items], ~self.mask[items].unsqueeze(1))

    def project(self, weight: Tensor) -> Tensor:
        """The rows through a linear map, differentiable in its weight.

        Args:
            weight (Tensor): the map.

        Shapes:
            - **weight:** ``[d, d_m]``
            - **output:** ``[N, d]``
        """
        if not self._many:
            return F.linear(self.all(), weight)
        out: Tensor = _Projection.apply(weight, self)  # type: ignore[no-untyped-call]
        return out

    def singular_vectors(self, rank: int) -> Tensor:
        """The top singular vectors, which keep cosines as well as any linear map can.

        Those of 16,384 rows, drawn at random and always the same, where there are more.

        Args:
            rank (int): how many; fewer where there are fewer.

        Shapes:
            - **output:** ``[d_m, rank]``
        """
        items = torch.arange(self.x.size(0), device=self.x.device)
        rows = self.all() if items.numel() <= _MOST_ROWS else self.some(some_of(items, _MOST_ROWS))
        return torch.svd_lowrank(rows, min(rank, *rows.shape))[2]

    @property
    def dtype(self) -> torch.dtype:
        """Of the rows: single precision at least."""
        return torch.float32 if self.x.dtype.itemsize < 4 else self.x.dtype

    @property
    def _many(self) -> bool:
        return self.x.size(0) > self.rows

    def _prepare(self, x: Tensor, lacking: Tensor) -> Tensor:
        # In place on the one copy.
        x = F.normalize(x.to(self.dtype), dim=1).masked_fill_(lacking, 0)
        if self.mean is not None:
            x.sub_(self.mean).masked_fill_(lacking, 0)
            norm = torch.linalg.vector_norm(x, dim=1, keepdim=True)
            x.div_(norm.masked_fill_(norm < ROUNDING, torch.inf))
        return x


class UnitFeaturesOf:
    """:class:`UnitFeatures` of each modality, built once per data.

    Args:
        modalities (dict): width of the features of each modality, by name.
        center (bool): as :class:`UnitFeatures` takes it.
    """

    def __init__(self, modalities: Mapping[str, int], center: bool) -> None:
        self.center = center
        self._kept = {m: KeptFor[UnitFeatures]() for m in modalities}

    def __call__(self, data: HeteroData) -> dict[str, UnitFeatures]:
        """Those of ``data``, by modality.

        Args:
            data: ``data['item']`` has ``x_m`` and ``m_mask`` for each modality m.
        """
        found = {}
        for m, kept in self._kept.items():
            x, mask = data["item"][f"x_{m}"], data["item"][f"{m}_mask"]
            found[m] = kept((x, mask), partial(UnitFeatures, x, mask, self.center))
        return found


class _Projection(torch.autograd.Function):
    """Prepares each block anew in the backward pass."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, units: UnitFeatures) -> Tensor:
        ctx.units = units
        return torch.cat([F.linear(block, weight) for block in units.blocks()])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        parts = zip(torch.split(grad, ctx.units.rows), ctx.units.blocks(), strict=True)
        return torch.stack([g.T @ x for g, x in parts]).sum(0), None

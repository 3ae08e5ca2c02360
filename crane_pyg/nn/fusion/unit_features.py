from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

ROUNDING = 1e-5  # what a row of length one may be off its own copy
_BLOCK = 1 << 26  # numbers that are prepared at once: 256 MB


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

    @property
    def _many(self) -> bool:
        return self.x.size(0) > self.rows

    def _prepare(self, x: Tensor, lacking: Tensor) -> Tensor:
        x = x.to(torch.float32) if x.dtype.itemsize < 4 else x
        # In place on the one copy.
        x = F.normalize(x, dim=1).masked_fill_(lacking, 0)
        if self.mean is not None:
            x.sub_(self.mean).masked_fill_(lacking, 0)
            norm = torch.linalg.vector_norm(x, dim=1, keepdim=True)
            x.div_(norm.masked_fill_(norm < ROUNDING, torch.inf))
        return x


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

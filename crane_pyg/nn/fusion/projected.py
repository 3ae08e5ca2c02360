from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg import ranks
from crane_pyg.nn.fusion.base import Space
from crane_pyg.nn.fusion.projecting import ProjectingFusion
from crane_pyg.ops import unit_rows


class ProjectedFusion(ProjectingFusion):
    """Concatenates the projected modalities, each row of length one.

    Args:
        modalities, channels, center: as :class:`Fusion` takes them.
    """

    def __init__(
        self, modalities: Mapping[str, int], channels: int = 64, *, center: bool = True
    ) -> None:
        super().__init__(modalities, channels, center=center)
        self.reset_parameters()

    def forward(self, data: HeteroData) -> list[Space]:
        return [Space(self.parts(data), [*self.masks(data).values()])]

    def parts(self, data: HeteroData) -> list[Tensor]:
        """Each modality by itself, ``[N, d]``: projected, of length one, times its share."""
        xs = self.unit_features(data).items()
        projected = ((ranks.by_rows(F.linear, x, self.lin[m].weight), x.dtype) for m, x in xs)
        unit = [unit_rows(x).to(dtype) for x, dtype in projected]
        return [share * x for share, x in zip(self.modality_share, unit, strict=True)]

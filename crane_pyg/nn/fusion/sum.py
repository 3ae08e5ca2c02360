import torch
from torch_geometric.data import HeteroData

from crane_pyg.nn.fusion.base import Space
from crane_pyg.nn.fusion.projected import ProjectedFusion


class SumFusion(ProjectedFusion):
    """Adds up the projected modalities, each row of length one.

    Args:
        modalities, channels, center: as :class:`Fusion` takes them.
    """

    def forward(self, data: HeteroData) -> list[Space]:
        x, masks = torch.stack(self.parts(data)).sum(0), [*self.masks(data).values()]
        return [Space([x], [torch.stack(masks).any(0)])]

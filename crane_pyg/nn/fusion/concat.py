from typing import ClassVar

from torch_geometric.data import HeteroData

from crane_pyg.nn.fusion.base import Fusion, Space


class ConcatFusion(Fusion):
    """Concatenates the features as they are, each row of length one: nothing to learn.

    Args:
        modalities, center: as :class:`Fusion` takes them.
        channels: width at which :meth:`warm_start` weighs the modalities. (default: ``64``)
    """

    learns: ClassVar[bool] = False

    def forward(self, data: HeteroData) -> list[Space]:
        shared = zip(self.modality_share, self.unit_features(data).values(), strict=True)
        return [Space([share * x for share, x in shared], [*self.masks(data).values()])]

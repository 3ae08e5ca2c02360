from torch_geometric.data import HeteroData

from crane_pyg.nn.fusion.base import Space
from crane_pyg.nn.fusion.projected import ProjectedFusion


class MeanFusion(ProjectedFusion):
    """A space, and so a graph, for each projected modality; the mean of these graphs links items.

    Args:
        modalities, channels, center: as :class:`Fusion` takes them.
    """

    @property
    def num_spaces(self) -> int:
        return len(self.modalities)

    def forward(self, data: HeteroData) -> list[Space]:
        # Squared, as shares are in the inner product of what is concatenated.
        weights = self.modality_share.square()
        parts = zip(weights, self.parts(data), self.masks(data).values(), strict=True)
        return [Space([part], [mask], weight) for weight, part, mask in parts]

from collections.abc import Mapping

from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.fusion.base import Space
from crane_pyg.nn.fusion.projecting import ProjectingFusion
from crane_pyg.ops import unit_rows


class ProjectedFusion(ProjectingFusion):
    """Concatenates the projected modalities, each row of length one.

    Args:
        modalities, channels, center: as :class:`Fusion` takes them.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn.fusion import ProjectedFusion
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> fusion = ProjectedFusion({"textual": 32, "visual": 64}, channels=16)
        >>> (space,) = fusion(data)
        >>> [part.shape for part in space.parts]
        [torch.Size([200, 16]), torch.Size([200, 16])]
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
        xs = [x.project(self.lin[m].weight) for m, x in self.units(data).items()]
        unit = [unit_rows(x).to(x.dtype) for x in xs]
        return [share * x for share, x in zip(self.modality_share, unit, strict=True)]

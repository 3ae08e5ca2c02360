from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import ModuleDict
from torch_geometric.data import HeteroData
from torch_geometric.nn import Linear

from crane_pyg.nn.fusion.base import Fusion


class ProjectingFusion(Fusion):
    """What fusions have in common that project each modality to the same width first.

    Args:
        modalities, channels, center: as :class:`Fusion` takes them.
    """

    def __init__(
        self, modalities: Mapping[str, int], channels: int = 64, *, center: bool = True
    ) -> None:
        super().__init__(modalities, channels, center=center)
        self.lin = ModuleDict(
            {
                m: Linear(width, channels, bias=False, weight_initializer="glorot")
                for m, width in modalities.items()
            }
        )

    @torch.no_grad()
    def warm_start(self, data: HeteroData) -> dict[str, Tensor]:
        """As of :class:`Fusion`; the projection becomes the top singular vectors."""
        xs = {}
        for m, x in self.unit_features(data).items():
            basis = self.singular_vectors(x)
            xs[m] = x @ basis
            self.get_parameter(f"lin.{m}.weight").zero_()[: basis.size(1)] = basis.T
        return xs

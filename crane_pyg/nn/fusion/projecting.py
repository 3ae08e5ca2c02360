from collections.abc import Mapping

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.nn import Linear

from crane_pyg.nn.by_modality import ByModality
from crane_pyg.nn.fusion.base import Fusion


class ProjectingFusion(Fusion):
    """Base of the fusions that first project each modality to the same width.

    Args:
        modalities, channels, center: as :class:`Fusion` takes them.
    """

    def __init__(
        self, modalities: Mapping[str, int], channels: int = 64, *, center: bool = True
    ) -> None:
        super().__init__(modalities, channels, center=center)
        self.lin = ByModality(
            {
                m: Linear(width, channels, bias=False, weight_initializer="glorot")
                for m, width in modalities.items()
            }
        )

    @torch.no_grad()
    def warm_start(self, data: HeteroData) -> dict[str, Tensor]:
        """Start from the features' own geometry: the projection becomes the top singular vectors.

        Args:
            data: as :meth:`forward` takes it.
        """
        xs = {}
        for m, x in self.units(data).items():
            basis = x.singular_vectors(self.channels)
            xs[m] = x.project(basis.T)
            self.lin[m].weight.zero_()[: basis.size(1)] = basis.T
        return xs

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import Parameter
from torch_geometric.data import HeteroData

from crane_pyg.nn.by_modality import ByModality
from crane_pyg.schema import check_modalities


class ItemFeatures(torch.nn.Module):
    r"""Item features by modality: the data's own, or parameters that start as a copy of them.

    LATTICE and FREEDOM publish their results with features that train. That multiplies the
    parameters of a small set by twenty, so frozen ones are the default here.

    Args:
        num_items (int): :math:`N`.
        modalities (dict): width of the features of each modality, by name.
        trainable (bool): zeros until :meth:`start_from` fills them. (default: ``False``)

    Raises:
        ValueError: if there is no modality.
    """

    def __init__(
        self, num_items: int, modalities: Mapping[str, int], trainable: bool = False
    ) -> None:
        super().__init__()
        check_modalities(modalities)
        self.modalities = dict(modalities)
        self.trainable = trainable
        widths = modalities.items() if trainable else ()
        self.x = ByModality({m: Parameter(torch.zeros(num_items, width)) for m, width in widths})

    @torch.no_grad()
    def start_from(self, data: HeteroData) -> None:
        """Copy the data's features into the parameters, if there are any."""
        for m, x in self.x.items():
            x.copy_(data["item"][f"x_{m}"])

    def forward(self, data: HeteroData, modality: str) -> Tensor:
        """The features of one modality.

        Args:
            data: the graph.
            modality (str): its name m.

        Shapes:
            - **data['item']:** ``x_m`` ``[N, d_m]``
            - **output:** ``[N, d_m]``
        """
        x: Tensor = self.x[modality] if self.trainable else data["item"][f"x_{modality}"]
        return x.float() if x.dtype == torch.float16 else x  # as a mapped file may be

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.modalities}, trainable={self.trainable})"

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import HeteroData
from torch_geometric.nn.inits import reset

from crane_pyg.nn.fusion.unit_features import UnitFeatures, UnitFeaturesOf
from crane_pyg.schema import check_modalities


class Space(NamedTuple):
    """Items as points; those that lie close to each other are linked.

    Shapes:
        - **parts:** ``[N, d_m]`` each, to be put side by side: one for each modality, or one for
          all of them together
        - **masks:** ``[N]`` bool each, false where an item has nothing in that part
        - **weight:** a number: how much the graph of this space counts beside those of others
    """

    parts: list[Tensor]
    masks: list[Tensor]
    weight: Tensor | float = 1.0


class Fusion(torch.nn.Module):
    """Turns the modalities of an item into what items are compared by.

    A fusion is a file in this folder with a subclass: :meth:`forward` gives the space, or the
    spaces, in which :class:`~crane_pyg.nn.graphs.LearnedItemGraph` looks for neighbours.

    Args:
        modalities (dict): width of the features of each modality, by name.
        channels (int): width :math:`d` after projection. (default: ``64``)
        center (bool): scale rows to length one and subtract the mean of each modality, so that
            cosines tell apart what encoders put into a narrow cone. (default: ``True``)

    Raises:
        ValueError: if there is no modality.
    """

    learns: ClassVar[bool] = True
    """Whether there is something to learn; if not, the graph never changes."""
    modality_share: Tensor
    """Weight of each modality beside the others, ``[K]``."""

    def __init__(
        self, modalities: Mapping[str, int], channels: int = 64, *, center: bool = True
    ) -> None:
        super().__init__()
        check_modalities(modalities)
        self.modalities = dict(modalities)
        self.channels = channels
        self.center = center
        self._units = UnitFeaturesOf(modalities, center)
        self.register_buffer("modality_share", torch.ones(len(modalities)))

    @property
    def num_spaces(self) -> int:
        """How many spaces :meth:`forward` gives."""
        return 1

    def reset_parameters(self) -> None:
        torch.nn.init.ones_(self.modality_share)
        for module in self.children():
            reset(module)

    def forward(self, data: HeteroData) -> list[Space]:
        """The spaces in which neighbours are looked for.

        Args:
            data: the graph; ``data['item']`` has ``x_m`` and ``m_mask`` for each modality m.

        Shapes:
            - **data['item']:** ``x_m`` ``[N, d_m]``, of which only the directions of rows matter,
              and ``m_mask`` ``[N]`` bool, false where an item lacks the modality
        """
        raise NotImplementedError

    @torch.no_grad()
    def warm_start(self, data: HeteroData) -> dict[str, Tensor]:
        """Start from the features' own geometry, which random weights blur.

        Args:
            data: as :meth:`forward` takes it.

        Returns:
            the features of each modality on their top singular vectors, ``[N, rank]``: what the
            modalities can be weighed by.
        """
        return {
            m: x.project(x.singular_vectors(self.channels).T) for m, x in self.units(data).items()
        }

    def masks(self, data: HeteroData) -> dict[str, Tensor]:
        """By modality ``[N]`` bool, false where an item lacks it."""
        return {m: data["item"][f"{m}_mask"] for m in self.modalities}

    def units(self, data: HeteroData) -> dict[str, UnitFeatures]:
        """By modality the features with rows of length one, or of zeros where the item lacks the
        modality or is its very mean."""
        return self._units(data)

    def unit_features(self, data: HeteroData) -> dict[str, Tensor]:
        """By modality all rows of :meth:`units` at once, ``[N, d_m]``."""
        return {m: units.all() for m, units in self.units(data).items()}

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.modalities}, {self.channels})"

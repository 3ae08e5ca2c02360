from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter
from torch_geometric.data import HeteroData

from crane_pyg.nn.by_modality import ByModality
from crane_pyg.nn.fusion.unit_features import UnitFeaturesOf
from crane_pyg.nn.kept import KeptFor
from crane_pyg.schema import check_modalities


class ContentTerm(Module):
    r"""What an item's features add to its embedding.

    .. math::
        \mathbf{c}_i = \sum_m \mathbf{W}_m \mathbf{V}_m^{\top} \hat{\mathbf{x}}_i^m

    with :math:`\hat{\mathbf{x}}^m` the features of length one, less their mean, of length one
    again, as fusions take them; :math:`\mathbf{V}_m` their top singular vectors, which
    :meth:`warm_start` sets and which stay; and :math:`\mathbf{W}_m` learned, from zero on. An item
    that lacks a modality has nothing of it.

    Items that look alike then have embeddings that are moved alike, by what was taken of either. So
    it is a prior, as that of `"VBPR" <https://arxiv.org/abs/1510.01784>`_ is, and helps where what
    items are says who takes them: see :func:`~crane_pyg.nn.choose_content`.

    Args:
        modalities (dict): width of the features of each modality, by name.
        channels (int): of the embeddings, :math:`d`. (default: ``64``)
        rank (int): singular vectors of a modality, fewer where it is narrower. (default: ``64``)
        center (bool): subtract the mean. (default: ``True``)

    Raises:
        ValueError: if there is no modality.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.nn import ContentTerm
        >>> from crane_pyg.schema import modalities
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> term = ContentTerm(modalities(data), channels=16)
        >>> term.warm_start(data)
        >>> term(data).shape, term(data).abs().max().item()
        (torch.Size([200, 16]), 0.0)
    """

    def __init__(
        self,
        modalities: Mapping[str, int],
        channels: int = 64,
        rank: int = 64,
        *,
        center: bool = True,
    ) -> None:
        super().__init__()
        check_modalities(modalities)
        self.basis = ByModality({m: _Basis(d, min(rank, d)) for m, d in modalities.items()})
        width = sum(basis.vectors.size(1) for basis in self.basis.values())
        self.weight = Parameter(torch.zeros(width, channels))
        self.units = UnitFeaturesOf(modalities, center)
        self._coordinates = KeptFor[Tensor]()

    def reset_parameters(self) -> None:
        torch.nn.init.zeros_(self.weight)

    @torch.no_grad()
    def warm_start(self, data: HeteroData) -> None:
        """Set the singular vectors.

        Args:
            data: as :meth:`forward` takes it.
        """
        for m, units in self.units(data).items():
            vectors = self.basis[m].vectors
            found = units.singular_vectors(vectors.size(1))
            vectors.zero_()[:, : found.size(1)] = found
        self._coordinates.clear()

    def forward(self, data: HeteroData) -> Tensor:
        """The term of all items.

        Args:
            data: the graph; ``data['item']`` has ``x_m`` and ``m_mask`` for each modality m.

        Shapes:
            - **data['item']:** ``x_m`` ``[N, d_m]``, of which only the directions of rows matter,
              and ``m_mask`` ``[N]`` bool, false where an item lacks the modality
            - **output:** ``[N, d]``
        """
        return self.coordinates(data) @ self.weight

    @torch.no_grad()
    def coordinates(self, data: HeteroData) -> Tensor:
        r"""The items' features on the singular vectors, all modalities side by side; kept.

        Args:
            data: as :meth:`forward` takes it.

        Shapes:
            - **output:** ``[N, sum of ranks]``
        """
        bases = [basis.vectors for basis in self.basis.values()]
        units = self.units(data)

        def build() -> Tensor:
            pairs = zip(units.values(), bases, strict=True)
            found = [x.project(basis.T.to(x.dtype)).to(basis.dtype) for x, basis in pairs]
            return torch.cat(found, dim=1)

        kept_for = (t for x in units.values() for t in (x.x, x.mask))
        return self._coordinates((*bases, *kept_for), build)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._coordinates.clear()

    def __repr__(self) -> str:
        widths = {m: basis.vectors.size(1) for m, basis in self.basis.items()}
        return f"{self.__class__.__name__}({widths}, {self.weight.size(1)})"


class _Basis(Module):
    vectors: Tensor

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.zeros(width, rank))

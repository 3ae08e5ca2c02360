"""Filling the features of items that lack a modality, instead of masking them."""

from torch_geometric.data import HeteroData
from torch_geometric.transforms import BaseTransform

from crane_pyg.choices import check_choice
from crane_pyg.ops.fill import Missing, fill_missing
from crane_pyg.schema import modalities


class FillMissing(BaseTransform):
    """Fills the rows of items that lack a modality, and sets their masks to true.

    Models leave masked items out wherever a modality is used. With this transform they take part,
    with made-up features, as in most of the literature's preprocessing. ``benchmarks/results/``
    compares the two.

    Args:
        missing (str): ``'mean'`` of the items that have the modality, or ``'zero'``; ``'mask'``
            leaves everything as it is.

    Shapes:
        - **data['item']:** ``x_m`` :math:`(N, d_m)` and ``m_mask`` :math:`(N)` in :obj:`bool`, for
          each modality ``m``

    Raises:
        ValueError: if :obj:`missing` is none of these.
    """

    def __init__(self, missing: Missing) -> None:
        check_choice("missing", missing, Missing)
        self.missing = missing

    def forward(self, data: HeteroData) -> HeteroData:
        store = data["item"]
        for m in modalities(data):
            filled = fill_missing(store[f"x_{m}"], store[f"{m}_mask"], self.missing)
            store[f"x_{m}"], store[f"{m}_mask"] = filled
        return data

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.missing!r})"

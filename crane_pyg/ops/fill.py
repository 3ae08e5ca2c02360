"""Filling the features of items that lack a modality."""

from typing import Literal

import torch
from torch import Tensor

from crane_pyg.choices import check_choice

Missing = Literal["mask", "mean", "zero"]


def fill_missing(x: Tensor, mask: Tensor, missing: Missing) -> tuple[Tensor, Tensor]:
    """Fills the rows of features that are missing.

    Args:
        x (torch.Tensor): The features.
        mask (torch.Tensor): Which rows are there.
        missing (str): ``'mask'`` fills nothing. ``'mean'`` fills in the mean of the rows that are
            there, zeros if there are none, and ``'zero'`` fills in zeros; the mask is then true
            everywhere.

    Shapes:
        - **x:** :math:`(N, d)`, **mask:** :math:`(N)` in :obj:`bool`
        - **output:** features and mask, of the same shapes

    Raises:
        ValueError: if :obj:`missing` is none of these.
    """
    check_choice("missing", missing, Missing)
    if missing == "mask" or bool(mask.all()):
        return x, mask
    row = torch.zeros_like(x[0])
    if missing == "mean" and bool(mask.any()):
        row = x[mask].mean(dim=0)
    return torch.where(mask.unsqueeze(1), x, row), torch.ones_like(mask)

"""What to put where an item lacks a modality."""

import torch
from torch import Tensor

MISSING = ("mask", "mean", "zero")


def fill_missing(x: Tensor, mask: Tensor, missing: str) -> tuple[Tensor, Tensor]:
    """Features and mask with the rows filled that an item lacks; ``'mask'`` fills none.

    Args:
        x (Tensor): ``[N, d]`` features.
        mask (Tensor): ``[N]`` bool, false where a row is missing.
        missing: ``'mask'``; ``'mean'`` of the rows that are there, zeros if there are none;
            ``'zero'``. A filled row is one like the others: its mask becomes true.

    Raises:
        ValueError: if ``missing`` is none of these.
    """
    check_missing(missing)
    if missing == "mask" or bool(mask.all()):
        return x, mask
    row = torch.zeros_like(x[0])
    if missing == "mean" and bool(mask.any()):
        row = x[mask].mean(dim=0)
    return torch.where(mask.unsqueeze(1), x, row), torch.ones_like(mask)


def check_missing(missing: str) -> None:
    if missing not in MISSING:
        raise ValueError(f"missing must be one of {', '.join(MISSING)} (got {missing!r})")

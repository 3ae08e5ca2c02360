import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.ops import unit_rows
from crane_pyg.schema import modalities

_WIDEST = 64  # what is served of wider features


@torch.no_grad()
def look_arrays(data: HeteroData) -> tuple[dict[str, int], dict[str, np.ndarray]]:
    """The note and the arrays that :func:`crane_pyg.serving.content.read_looks` reads.

    Args:
        data: the graph.
    """
    numbers: dict[str, int] = {}
    arrays: dict[str, np.ndarray] = {}
    for number, m in enumerate(modalities(data)):
        x, mask = data["item"][f"x_{m}"].float(), data["item"][f"{m}_mask"]
        if not mask.any():
            continue
        unit = unit_rows(x.masked_fill(~mask.unsqueeze(1), 0))
        mean = unit.sum(0) / mask.sum()
        centred = (unit - mean).masked_fill(~mask.unsqueeze(1), 0)
        basis = _basis(centred)
        rows = unit_rows(centred @ basis)
        numbers[m] = number
        parts = {"": rows, "_mean": mean, "_basis": basis}
        arrays |= {f"look_{number}{part}": value.numpy() for part, value in parts.items()}
    return numbers, arrays


def _basis(x: Tensor) -> Tensor:
    """The top right singular vectors; all of the space, where it is narrow."""
    if x.size(1) <= _WIDEST:
        return torch.eye(x.size(1))
    values, vectors = torch.linalg.eigh((x.T @ x).double())
    return vectors[:, -_WIDEST:].flip(1).float().contiguous()

"""What items look, read or sound like, in vectors that are narrow enough to serve."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crane_pyg.serving.artefact import Artefact
from crane_pyg.serving.rows import Array
from crane_pyg.serving.scoring import unit_rows


@dataclass(frozen=True)
class Look:
    """One modality of all items, and how features of new ones are turned into the same.

    Features of length one less their mean, on their top singular vectors, of length one again: an
    average item, and one that lacks the modality, resembles no other.

    Args:
        rows: of the items, ``[N, r]``; zeros where an item lacks the modality.
        mean: what is taken off features of length one, ``[width]``.
        basis: ``[width, r]``.
    """

    rows: Array
    mean: Array
    basis: Array

    def encode(self, x: Array) -> Array:
        """Features ``[n, width]`` as rows ``[n, r]``; a row of zeros stays one."""
        lacks = ~np.any(x, axis=1, keepdims=True)
        return np.where(lacks, 0, unit_rows((unit_rows(x) - self.mean) @ self.basis))

    def extended(self, rows: Array) -> "Look":
        """With items added."""
        return replace(self, rows=np.concatenate([self.rows, rows]))


def read_looks(artefact: Artefact, note: Mapping[str, Any], num_items: int) -> dict[str, Look]:
    """The modalities of an artefact, by name.

    Args:
        artefact: what was opened.
        note: its ``about["modalities"]``: the number of each, by name.
        num_items: how many items there are.
    """
    looks = {}
    for name, number in note.items():
        basis = artefact.array(f"look_{number}_basis", None, None)
        looks[name] = Look(
            artefact.array(f"look_{number}", num_items, basis.shape[1]),
            artefact.array(f"look_{number}_mean", basis.shape[0]),
            basis,
        )
    return looks

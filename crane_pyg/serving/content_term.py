from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crane_pyg.serving.artefact import Artefact
from crane_pyg.serving.rows import Array
from crane_pyg.serving.scoring import unit_feature


@dataclass(frozen=True)
class ContentTerm:
    """What the features of an item that nobody took say of its embedding.

    Args:
        modalities: their names.
        means: of features of length one, ``[width]`` each; ``None`` where they are not centred.
        maps: ``[width, d]`` each.
    """

    modalities: tuple[str, ...]
    means: tuple[Array, ...] | None
    maps: tuple[Array, ...]

    def of(self, features: Mapping[str, Array]) -> Array:
        """The sum over the modalities that the item has, ``[d]``.

        Args:
            features: by modality ``[width]``.
        """
        total = np.zeros(self.maps[0].shape[1], dtype=np.float32)
        for number, m in enumerate(self.modalities):
            if m in features:
                mean = None if self.means is None else self.means[number]
                total += unit_feature(features[m], mean) @ self.maps[number]
        return total


def read_content_term(artefact: Artefact, note: Mapping[str, Any] | None) -> ContentTerm | None:
    """The content term of an artefact, if it has one.

    Args:
        artefact: what was opened.
        note: its ``about["graph"]["content"]``.
    """
    if note is None:
        return None
    modalities = tuple(note["modalities"])
    numbers = range(len(modalities))
    means = None
    if note["center"]:
        means = tuple(artefact.array(f"content_{number}_mean", None) for number in numbers)
    maps = tuple(artefact.array(f"content_{number}_map", None, None) for number in numbers)
    return ContentTerm(modalities, means, maps)

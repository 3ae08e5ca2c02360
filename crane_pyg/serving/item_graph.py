from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crane_pyg.serving.artefact import Artefact
from crane_pyg.serving.content_term import ContentTerm, read_content_term
from crane_pyg.serving.rows import Array, Rows


@dataclass(frozen=True)
class ItemGraph:
    r"""What the vectors of items have of their neighbours, modality by modality.

    An item's vector holds :math:`\sum_j S_{ij} \mathbf{x}_j` over its neighbours :math:`j`, and
    each weight is divided among the modalities that it comes from.

    Args:
        modalities: names of K modalities.
        edges: of each item the neighbours, with ``[E, K + 1]`` weights: of the modalities, and
            last what an item is to itself.
        source: what each layer of the graph passes on, ``[L, N, d]``.
        fold_in_power: by which power of a history's length the sum over what its items have of
            their neighbours is divided in a new user's vector; ``None`` where that has none of it.
    """

    modalities: tuple[str, ...]
    edges: Rows
    source: Array
    fold_in_power: float | None
    content: ContentTerm | None = None

    def parts(self, item: int) -> Array:
        """What an item has by each modality, ``[K, d]``."""
        weight, neighbour = self.edges.values(item), self.edges.indices(item)
        passed = np.asarray(self.source[-1][neighbour], dtype=np.float64)
        return np.asarray(weight[:, :-1].T @ passed)

    def gathered(
        self, features: Mapping[str, Array], neighbour: Array, weight: Array, own: float
    ) -> tuple[Array, Array]:
        """What an item has that is added later, without interactions.

        Args:
            features: its own, by modality.
            neighbour: its neighbours, ``[n]``.
            weight: their weights, ``[n]``.
            own: the weight of the item among its own neighbours.

        Returns:
            what each layer passes on of it, ``[L, d]``, the first of which is its own embedding,
            and what the last one gives it, ``[d]``
        """
        start = np.zeros(self.source.shape[2], dtype=np.float32)
        layers = [start if self.content is None else self.content.of(features)]
        for layer in self.source:
            layers.append(weight @ layer[neighbour] + np.float32(own) * layers[-1])
        return np.stack(layers[:-1]), layers[-1]


def read_item_graph(
    artefact: Artefact, note: Mapping[str, Any] | None, num_items: int, width: int
) -> ItemGraph | None:
    """The item graph of an artefact, if it has one.

    Args:
        artefact: what was opened.
        note: its ``about["graph"]``.
        num_items: how many items there are.
        width: of their vectors.
    """
    if note is None:
        return None
    edges = artefact.rows("graph", num_items, num_items)
    artefact.array("graph_value", len(edges.index), len(note["modalities"]) + 1)
    source = artefact.array("graph_source", None, num_items, width)
    content = read_content_term(artefact, note.get("content"))
    return ItemGraph(tuple(note["modalities"]), edges, source, note["fold_in_power"], content)

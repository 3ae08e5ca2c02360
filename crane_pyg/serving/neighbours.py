"""The neighbours of items that are added later, found as the model's own graph finds them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from crane_pyg.serving.artefact import Artefact
from crane_pyg.serving.attention import Attention, read_attention
from crane_pyg.serving.content import Look
from crane_pyg.serving.rows import Array
from crane_pyg.serving.scoring import best, unit_feature, unit_rows

Features = Mapping[str, Array]  # by modality [width]; those that the item has
_K = 10


class Neighbours(NamedTuple):
    """Which items an item resembles, ``[n]``, how much each counts, and it itself among them.

    Args:
        item: their numbers.
        weight: ``[n, K]``, of each modality.
        own: what the item is to itself.
    """

    item: Array
    weight: Array
    own: float


@dataclass(frozen=True)
class LearnedNeighbours:
    """The nearest by the cosine over the modalities that the item has itself, as
    ``crane_pyg.ops.modality_knn_graph`` has it, of what a fusion makes of the features.

    Args:
        modalities: their names.
        k, loop: neighbours of an item, and whether it is the first of them.
        parts: of all items by modality, ``[N, d_m]``.
        masks: which items have it, ``[N]``.
        means: of features of length one, ``[width]`` each; ``None`` where they are not centred.
        maps: ``[width, d_m]`` each; ``None`` where features are compared as they are.
        shares: of the modalities, ``[K]``.
        attention: what the mapped features go through.
        unit: whether they are of length one again.
    """

    modalities: tuple[str, ...]
    k: int
    loop: bool
    parts: tuple[Array, ...]
    masks: tuple[Array, ...]
    means: tuple[Array, ...] | None
    maps: tuple[Array, ...] | None
    shares: Array
    attention: Attention | None
    unit: bool

    def find(self, features: Features) -> Neighbours:
        """The neighbours of an item that is none of those."""
        has = [m in features for m in self.modalities]
        known = np.any(self.masks, axis=0)
        others = min(self.k - 1 if self.loop else self.k, int(known.sum()))
        if not any(has):
            return Neighbours(np.zeros(0, np.int64), np.zeros((0, len(has))), 0.0)
        own = self._encode(features)
        total, length = np.zeros(len(known)), np.zeros(len(known))
        by_modality, lacks = [], 0.0
        for x, part, mask, present in zip(own, self.parts, self.masks, has, strict=True):
            square = float(np.square(part, dtype=np.float64).sum() / max(1, mask.sum()))
            inner = part @ x if present else np.zeros(len(known))
            by_modality.append(inner)
            total += inner
            # A row that lacks what the item has counts as one that resembles no other.
            length += (np.square(part).sum(axis=1) + square * ~mask) if present else 0
            lacks += 0 if present else square
        mine = sum(float(x @ x) for x in own)
        scale = np.sqrt(np.where(length > 0, length, 1)) * max(mine**0.5, 1e-24)
        cosine = np.where(known, total / scale, -np.inf)
        found = best(cosine, others)
        share = (mine / max(mine + lacks, 1e-24)) ** 0.5 if not all(has) else 1.0
        weight = np.stack([part[found] / scale[found] for part in by_modality], axis=1) * share
        itself = 1.0 if self.loop else 0.0
        norm = max(float(np.abs(weight.sum(axis=1)).sum()) + itself, 1e-12)
        return Neighbours(found, weight / norm, itself / norm)

    def _encode(self, features: Features) -> list[Array]:
        xs = []
        for number, m in enumerate(self.modalities):
            mean = None if self.means is None else self.means[number]
            x = unit_feature(features[m], mean) if m in features else None
            if self.maps is not None:
                width = self.maps[number].shape[1]
                x = np.zeros(width, np.float32) if x is None else x @ self.maps[number]
            if x is None:
                x = np.zeros(self.parts[number].shape[1], np.float32)
            xs.append(unit_rows(x) if self.unit else x)
        if self.attention is not None:
            xs = self.attention.attend(xs, [m in features for m in self.modalities])
        return [share * x for share, x in zip(self.shares, xs, strict=True)]

    def extended(self, features: list[Features]) -> "LearnedNeighbours":
        """With items added, which are neighbours of later ones."""
        rows = [self._encode(one) for one in features]
        added = [np.stack(column) for column in zip(*rows, strict=True)]
        has = [np.array([m in one for one in features]) for m in self.modalities]
        return replace(
            self,
            parts=tuple(map(np.concatenate, zip(self.parts, added, strict=True))),
            masks=tuple(map(np.concatenate, zip(self.masks, has, strict=True))),
        )


@dataclass(frozen=True)
class FrozenNeighbours:
    """The nearest of each modality by the cosine of raw features, weighed as a graph Laplacian.

    Args:
        modalities: their names.
        k, loop, cosine: as ``crane_pyg.nn.FrozenItemGraph`` takes them.
        shares: of the modalities.
        rows: features of length one, ``[N, width]`` each.
        masks: which items have them, ``[N]`` each.
        scales: over the roots of the sums of each item's edges, ``[N]`` each.
    """

    modalities: tuple[str, ...]
    k: int
    loop: bool
    cosine: bool
    shares: tuple[float, ...]
    rows: tuple[Array, ...]
    masks: tuple[Array, ...]
    scales: tuple[Array, ...]

    def find(self, features: Features) -> Neighbours:
        """The neighbours of an item that is none of those."""
        items, weights, own = [], [], 0.0
        for column, m in enumerate(self.modalities):
            if m not in features:
                continue
            cosines = self.rows[column] @ unit_rows(np.asarray(features[m]))
            cosines = np.where(self.masks[column], cosines, -np.inf)
            found = best(cosines, self.k - 1 if self.loop else self.k)
            weight = cosines[found] if self.cosine else np.ones(len(found))
            total = weight.sum() + (1 if self.loop else 0)
            scale = total**-0.5 if total > 0 else 0.0
            weight = self.shares[column] * scale * weight * self.scales[column][found]
            items.append(found)
            weights.append(weight[:, None] * (np.arange(len(self.modalities)) == column))
            own += self.shares[column] * scale**2 if self.loop else 0.0
        if not items:
            return Neighbours(np.zeros(0, np.int64), np.zeros((0, len(self.modalities))), 0.0)
        return Neighbours(np.concatenate(items), np.concatenate(weights), own)

    def extended(self, features: list[Features]) -> "FrozenNeighbours":
        """The same: an item without interactions has nothing to pass on."""
        return self


@dataclass(frozen=True)
class LookNeighbours:
    """The ten nearest by what items are like, for models without an item graph of their own.

    Args:
        looks: by modality.
    """

    looks: dict[str, Look]

    def find(self, features: Features) -> Neighbours:
        """The neighbours of an item that is none of those; their weights sum to one."""
        parts = [
            look.rows @ look.encode(np.asarray(features[m])[None])[0]
            if m in features
            else np.zeros(len(look.rows))
            for m, look in self.looks.items()
        ]
        found = best(np.sum(parts, axis=0), _K)
        weight = np.stack([np.maximum(part[found], 0) for part in parts], axis=1)
        return Neighbours(found, weight / max(float(weight.sum()), 1e-12), 0.0)

    def extended(self, features: list[Features]) -> "LookNeighbours":
        """The same: items that stand for others must have been trained."""
        return self


Finder = LearnedNeighbours | FrozenNeighbours | LookNeighbours


def read_neighbours(
    artefact: Artefact, note: Mapping[str, Any], looks: dict[str, Look], num_items: int
) -> Finder:
    """How the artefact says that neighbours are found.

    Args:
        artefact: what was opened.
        note: its ``about["neighbours"]``.
        looks: what items are like.
        num_items: how many items there are.
    """
    if note["kind"] == "looks":
        return LookNeighbours(looks)

    def arrays(name: str, *shape: int | None) -> tuple[Array, ...]:
        count = len(note["shares" if note["kind"] == "frozen" else "modalities"])
        return tuple(artefact.array(name.format(number), *shape) for number in range(count))

    if note["kind"] == "frozen":
        return FrozenNeighbours(
            tuple(note["shares"]),
            int(note["k"]),
            bool(note["loop"]),
            bool(note["cosine"]),
            tuple(note["shares"].values()),
            arrays("frozen_{}", num_items, None),
            arrays("frozen_{}_mask", num_items),
            arrays("frozen_{}_scale", num_items),
        )
    modalities = tuple(note["modalities"])
    return LearnedNeighbours(
        modalities,
        int(note["k"]),
        bool(note["loop"]),
        arrays("space_{}", num_items, None),
        arrays("space_{}_mask", num_items),
        arrays("space_{}_mean", None) if note["center"] else None,
        arrays("space_{}_map", None, None) if "space_0_map" in artefact else None,
        artefact.array("space_share", len(modalities)),
        read_attention(artefact, note.get("attention"), len(modalities)),
        bool(note.get("unit", False)),
    )

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crane_pyg.serving.artefact import Artefact
from crane_pyg.serving.rows import Array
from crane_pyg.serving.scoring import unit_rows


@dataclass(frozen=True)
class Attention:
    r"""Recursive cross-modal attention for one more item, which attends to all that were there.

    The keys are linear in what all entities are, so that the map is taken to the query instead:
    :math:`\tanh(\mathbf{x}^{\top} \mathbf{W} (\mathbf{V} \mathbf{z} + \mathbf{b}))`, with
    :math:`\mathbf{z}` an entity's modalities side by side.

    Args:
        rounds: of each round what users and items are in it, ``[M + N, sum of d_m]``.
        queries: :math:`\mathbf{W} \mathbf{V}` by modality, ``[d_m, sum of d_m]``.
        biases: :math:`\mathbf{W} \mathbf{b}`, ``[d_m]``.
        gathered, own: maps of what is gathered and of the item itself, ``[d_m, d_m]``.
        gain: of what is gathered, by modality.
        counts: entities that have the modality, which the sum is divided by; ``None`` where it is
            not, and rows are as long as they are.
    """

    rounds: tuple[Array, ...]
    queries: tuple[Array, ...]
    biases: tuple[Array, ...]
    gathered: tuple[Array, ...]
    own: tuple[Array, ...]
    gain: tuple[float, ...]
    counts: tuple[int, ...] | None

    def attend(self, xs: Sequence[Array], has: Sequence[bool]) -> list[Array]:
        """The item's features, by modality ``[d_m]``, as the attention leaves them.

        Args:
            xs: as they go in, by modality ``[d_m]``.
            has: which of the modalities the item has; the others are zeros.
        """
        ends = np.cumsum([len(x) for x in xs])
        out = list(xs)
        for everyone in self.rounds:
            if self.counts is not None:
                out = [unit_rows(x) for x in out]
            new = []
            for number, (x, end) in enumerate(zip(out, ends, strict=True)):
                logit = everyone @ (x @ self.queries[number]) + x @ self.biases[number]
                total = np.tanh(logit) @ everyone[:, end - len(x) : end]
                if self.counts is not None:
                    total = total / np.float32(self.counts[number])
                refined = np.maximum(total @ self.gathered[number], 0) * self.gain[number]
                new.append((refined + x @ self.own[number]) * has[number])
            out = new
        return out


def read_attention(
    artefact: Artefact, note: Mapping[str, Any] | None, num_modalities: int
) -> Attention | None:
    """The attention of an artefact, if it has one.

    Args:
        artefact: what was opened.
        note: what ``about["neighbours"]`` says of it.
        num_modalities: how many modalities there are.
    """
    if note is None:
        return None

    def arrays(name: str, count: int, *shape: int | None) -> tuple[Array, ...]:
        return tuple(artefact.array(name.format(number), *shape) for number in range(count))

    return Attention(
        arrays("attention_round_{}", int(note["rounds"]), None, None),
        arrays("attention_{}_query", num_modalities, None, None),
        arrays("attention_{}_bias", num_modalities, None),
        arrays("attention_{}_gathered", num_modalities, None, None),
        arrays("attention_{}_own", num_modalities, None, None),
        tuple(note["gain"]),
        tuple(note["counts"]) if note["normalize"] else None,
    )

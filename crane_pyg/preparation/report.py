"""The report of a preparation: what was read, dropped and not found."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crane_pyg.datasets.columns import LABEL
from crane_pyg.preparation.raw_interactions import RawInteractions
from crane_pyg.preparation.selection import Selection

_LISTED = 5


@dataclass(frozen=True)
class PreparationReport:
    """Counts that a person should see before training; :obj:`str` gives one line each.

    Args:
        num_rows (int): Interactions read.
        dropped (dict): The number of rows that were dropped, by the reason.
        num_leaked (int): Pairs that were given in more than one split, kept in the earliest.
        num_users (int): Users left.
        num_items (int): Items left.
        labels (list): Interactions in train, val and test.
        encoders (dict): The encoder or file that the features come from, by modality.
        missing (dict): The number of items that lack each modality.
        unreadable (dict): The reason why a picture could not be read, by item id.
        notes (dict): Other counts, each under a line that says what it counts.
    """

    num_rows: int
    dropped: dict[str, int]
    num_leaked: int
    num_users: int
    num_items: int
    labels: list[int]
    encoders: dict[str, str]
    missing: dict[str, int]
    unreadable: dict[str, str]
    notes: dict[str, int]

    @classmethod
    def from_selection(
        cls,
        raw: RawInteractions,
        chosen: Selection,
        modalities: Mapping[str, tuple[str, int]],
        unreadable: dict[str, str],
        notes: dict[str, int],
    ) -> "PreparationReport":
        """Gathers the counts.

        Args:
            raw (RawInteractions): What was read.
            chosen (Selection): What is left of it.
            modalities (dict): Encoder and number of items without features, by modality.
            unreadable (dict): See above.
            notes (dict): See above.
        """
        return cls(
            num_rows=len(raw.user),
            dropped=chosen.dropped,
            num_leaked=chosen.num_leaked,
            num_users=len(chosen.users),
            num_items=len(chosen.items),
            labels=np.bincount(chosen.interactions[LABEL], minlength=3).tolist(),
            encoders={modality: encoder for modality, (encoder, _) in modalities.items()},
            missing={modality: missing for modality, (_, missing) in modalities.items()},
            unreadable=unreadable,
            notes=notes,
        )

    def __str__(self) -> str:
        train, val, test = self.labels
        lines = [f"rows read: {self.num_rows:,}"]
        lines += [f"rows dropped {why}: {count:,}" for why, count in self.dropped.items() if count]
        if self.num_leaked:
            lines.append(f"pairs in more than one split, kept in the earliest: {self.num_leaked:,}")
        lines += [
            f"users: {self.num_users:,}",
            f"items: {self.num_items:,}",
            f"interactions: {sum(self.labels):,} (train {train:,}, val {val:,}, test {test:,})",
        ]
        lines += [
            f"{modality}: {encoder}, {self.missing[modality]:,} items lack it (all-zero row)"
            for modality, encoder in self.encoders.items()
        ]
        lines += [f"{what}: {count:,}" for what, count in self.notes.items() if count]
        if self.unreadable:
            lines.append(f"pictures that cannot be read: {len(self.unreadable):,}")
            listed = list(self.unreadable.items())
            lines += [f"  {item}: {reason}" for item, reason in listed[:_LISTED]]
            if len(listed) > _LISTED:
                lines.append(f"  and {len(listed) - _LISTED:,} more, see dataset.json")
        return "\n".join(lines)

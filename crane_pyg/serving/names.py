from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from crane_pyg.serving.ranking import numbers_of
from crane_pyg.serving.rows import Array
from crane_pyg.serving.tables import Tables


class Names:
    """Who and what a model knows, by original ids.

    Args:
        tables: what the artefact holds.
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    @property
    def user_ids(self) -> Sequence[str]:
        """Original ids of the users."""
        return self.tables.user_ids

    @property
    def item_ids(self) -> Sequence[str]:
        """Original ids of the items."""
        return self.tables.item_ids

    @property
    def titles(self) -> Sequence[str] | None:
        """Titles of the items, in the order of :attr:`item_ids`; ``None`` where there are none."""
        return self.tables.titles

    @property
    def pictures(self) -> Sequence[str] | None:
        """Paths of the items' pictures as the data name them, in the order of :attr:`item_ids`,
        empty for an item without one; ``None`` where there are none."""
        return self.tables.pictures

    @property
    def modalities(self) -> list[str]:
        """What items may be similar by, beside behaviour and content."""
        return list(self.tables.looks)

    @cached_property
    def user_number(self) -> dict[str, int]:
        """Places of users in :attr:`user_ids`."""
        return {name: number for number, name in enumerate(_all(self.user_ids))}

    @cached_property
    def item_number(self) -> dict[str, int]:
        """Places of items in :attr:`item_ids`."""
        return {name: number for number, name in enumerate(_all(self.item_ids))}

    def knows_user(self, user: str) -> bool:
        """Whether training has seen a user."""
        return user in self.user_number

    def item_numbers(self, items: Iterable[str]) -> Array:
        """Places of items in :attr:`item_ids`.

        Raises:
            UnknownIdError: if there is no such item.
        """
        return numbers_of(self.item_number, items, "item")

    def history_of(self, user: str) -> list[str]:
        """What a user took, in training and afterwards.

        Raises:
            UnknownIdError: if there is no such user.
        """
        (number,) = numbers_of(self.user_number, [user], "user")
        return [self.item_ids[item] for item in self.tables.seen.indices(number)]

    def allowed(self, items: Iterable[str] | None, exclude: Iterable[str] | None) -> Array | None:
        """Which items may be ranked, ``[N]`` bool; ``None`` if all may."""
        if items is None and exclude is None:
            return None
        allowed = np.full(len(self.item_ids), items is None)
        if items is not None:
            allowed[self.item_numbers(items)] = True
        if exclude is not None:
            allowed[self.item_numbers(exclude)] = False
        return allowed


def _all(texts: Sequence[str]) -> Iterable[str]:
    return getattr(texts, "all", lambda: texts)()

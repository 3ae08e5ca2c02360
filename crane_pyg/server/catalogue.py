"""The items of an artefact as people see them, and a search among them."""

from collections.abc import Collection
from typing import Any
from urllib.parse import quote

import numpy as np

from crane_pyg.serving import Ranking, Recommender


class Catalogue:
    """Titles and pictures by id, and the items that hold some words, the most popular first.

    Args:
        recommender: whose items.
        has_pictures: whether the server knows the folder of the pictures.
        with_new_picture: items whose pictures are not in that folder.
    """

    def __init__(
        self,
        recommender: Recommender,
        has_pictures: bool,
        with_new_picture: Collection[str] = (),
    ) -> None:
        self._recommender, self._has_pictures = recommender, has_pictures
        self._with_new_picture = frozenset(with_new_picture)
        self._order = np.argsort(-recommender.tables.taken, kind="stable").tolist()
        titles = recommender.titles or [""] * len(recommender.item_ids)
        self._words = [
            f"{title}\n{name}".casefold() for title, name in zip(titles, recommender.item_ids)
        ]

    def page(self, words: str, offset: int, limit: int) -> dict[str, Any]:
        """Items whose title or id holds every word, and how many there are.

        Args:
            words: separated by spaces; without any, all items are found.
            offset: how many to skip.
            limit: how many to show.
        """
        wanted = words.casefold().split()
        found = self._order
        if wanted:
            lines = self._words
            found = [item for item in found if all(word in lines[item] for word in wanted)]
        ids = self._recommender.item_ids
        shown = [self._item(number, ids[number]) for number in found[offset : offset + limit]]
        return {"total": len(found), "items": shown}

    def ranked(self, ranking: Ranking) -> list[dict[str, Any]]:
        """The items of a ranking, with their scores."""
        numbers = self._recommender.item_numbers(ranking.ids).tolist()
        return [
            self._item(number, name, score)
            for number, (name, score) in zip(numbers, ranking, strict=True)
        ]

    def item(self, name: str, score: float | None = None) -> dict[str, Any]:
        """An item by its id."""
        (number,) = self._recommender.item_numbers([name]).tolist()
        return self._item(number, name, score)

    def _item(self, number: int, name: str, score: float | None = None) -> dict[str, Any]:
        titles = self._recommender.titles
        title = titles[number] if titles is not None else ""
        return {
            "id": name,
            "title": title or name,
            "picture": self._picture(number, name),
            "score": score,
        }

    def _picture(self, number: int, name: str) -> str | None:
        if name in self._with_new_picture:
            return f"new-pictures/{quote(name)}"
        if not self._has_pictures or self._recommender.pictures is None:
            return None
        picture = self._recommender.pictures[number]
        return f"pictures/{quote(picture)}" if picture else None

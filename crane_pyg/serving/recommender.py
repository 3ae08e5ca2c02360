from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from typing_extensions import Self

from crane_pyg.choices import check_choice
from crane_pyg.serving.added import with_items
from crane_pyg.serving.artefact import CARD, Artefact
from crane_pyg.serving.explain import Explanation, explain
from crane_pyg.serving.item_index import Index, IndexSearch, ItemIndex, read_index
from crane_pyg.serving.names import Names
from crane_pyg.serving.ranking import Ranking, check_request, numbers_of
from crane_pyg.serving.rows import Array
from crane_pyg.serving.scores import Scores
from crane_pyg.serving.search import Asker, ExactSearch, Found
from crane_pyg.serving.tables import Tables, read_tables

Unknown = Literal["raise", "popular"]


class Recommender(Names):
    """A trained model that answers, from the folder that ``python -m crane_pyg export`` writes.

    It speaks of users and items by their original ids, needs numpy alone, and is never changed:
    any number of threads may ask it.

    Args:
        tables: what the artefact holds.
        about: its note: model, settings, data, versions, scores.
        card: its ``README.md``.
        index: finds the best items; all are scored without.
    """

    def __init__(
        self,
        tables: Tables,
        about: Mapping[str, Any],
        card: str = "",
        index: ItemIndex | None = None,
    ) -> None:
        super().__init__(tables)
        self.about, self.card = about, card
        self._scores = Scores(tables)
        self.index = index
        exact = ExactSearch(self._scores)
        self._search = exact if index is None else IndexSearch(self._scores, index)

    @classmethod
    def load(cls, path: Path | str, *, index: Index = "exact", verify: bool = True) -> Self:
        """Open an artefact; its arrays are mapped, not read.

        Args:
            path: the folder.
            index: score all items, or search by the index of ``faiss`` that the export was told to
                make; scores stay exact, lists may miss an item. (default: ``'exact'``)
            verify: read every array once and compare its checksum. (default: ``True``)

        Raises:
            DamagedFileError: if a file is not what was written.
            ValueError: if it is no artefact, or one that this version cannot read.
        """
        check_choice("index", index, Index)
        artefact = Artefact(path, verify=verify)
        card = Path(path) / CARD
        text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
        tables = read_tables(artefact)
        found = read_index(artefact, tables) if index == "faiss" else None
        return cls(tables, artefact.about, text, found)

    def recommend(
        self,
        users: str | Sequence[str],
        k: int = 20,
        *,
        filter_seen: bool = True,
        items: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        unknown: Unknown = "raise",
        content_weight: float | None = None,
    ) -> Any:
        """The items with the highest scores of each user, as the trained model ranks them.

        Args:
            users: an id, or several.
            k: how many items; fewer only where no more are left. (default: ``20``)
            filter_seen: leave out what the user has taken, in any split. (default: ``True``)
            items: rank these alone. (default: all)
            exclude: leave these out. (default: none)
            unknown: ``'raise'`` an error for a user whom training has not seen, or answer with what
                is ``'popular'``. (default: ``'raise'``)
            content_weight: between 0, the model's scores, and 1, how much items resemble what the
                user took; ``None`` is 0. (default: ``None``)

        Returns:
            a :class:`Ranking` for an id, a list of them for several.

        Raises:
            UnknownIdError: if a user or an item is unknown.
            ValueError: if a number is out of range.
        """
        check_choice("unknown", unknown, Unknown)
        asked = [users] if isinstance(users, str) else list(users)
        known = [name for name in asked if name in self.user_number]
        if unknown == "raise" and len(known) < len(asked):
            numbers_of(self.user_number, asked, "user")
        check_request(k, content_weight)
        allowed = self.allowed(items, exclude)
        numbers = map(int, numbers_of(self.user_number, known, "user"))
        seen = self.tables.seen.indices if filter_seen else _nothing
        askers = [Asker(self._scores.taste_of(user), seen(user)) for user in numbers]
        ranked = self._search.rank(askers, k, allowed, content_weight)
        found = dict(zip(known, map(self._ranking, ranked), strict=True))
        if len(known) < len(asked):
            popular = self._ranking(self._search.popular(k, allowed))
            found |= {name: popular for name in asked if name not in found}
        rankings = [found[name] for name in asked]
        return rankings[0] if isinstance(users, str) else rankings

    def recommend_for_history(
        self,
        item_ids: Iterable[str],
        k: int = 20,
        *,
        filter_seen: bool = True,
        items: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        content_weight: float | None = None,
    ) -> Ranking:
        """What somebody would like who took these items, at once: nothing is trained.

        Args:
            item_ids: what they took; twice counts once.
            k, items, exclude, content_weight: as :meth:`recommend` takes them.
            filter_seen: leave out what they took. (default: ``True``)

        Raises:
            UnknownIdError: if an item is unknown.
            ValueError: if the history is empty, or a number out of range.
        """
        (ranking,) = self.recommend_for_histories(
            [item_ids],
            k,
            filter_seen=filter_seen,
            items=items,
            exclude=exclude,
            content_weight=content_weight,
        )
        return ranking

    def recommend_for_histories(
        self,
        histories: Iterable[Iterable[str]],
        k: int = 20,
        *,
        filter_seen: bool = True,
        items: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        content_weight: float | None = None,
    ) -> list[Ranking]:
        """What several people would like, as :meth:`recommend_for_history` answers each.

        Args:
            histories: what each took.
            k, filter_seen, items, exclude, content_weight: as there.

        Raises:
            UnknownIdError: if an item is unknown.
            ValueError: if a history is empty, or a number out of range.
        """
        taken = [self.item_numbers(dict.fromkeys(history)) for history in histories]
        check_request(k, content_weight)
        allowed = self.allowed(items, exclude)
        askers = [
            Asker(self._scores.taste_for(history), history if filter_seen else _nothing())
            for history in taken
        ]
        return [*map(self._ranking, self._search.rank(askers, k, allowed, content_weight))]

    def similar_items(
        self, items: str | Sequence[str], k: int = 20, *, by: str = "behaviour"
    ) -> Any:
        """The items most like others.

        Args:
            items: an id, or several.
            k: how many. (default: ``20``)
            by: ``'behaviour'``, the cosine of what training made of them, or, for a model without
                vectors, what having taken the item says for others; ``'content'``, the mean cosine
                of the modalities; or one modality by name. (default: ``'behaviour'``)

        Returns:
            a :class:`Ranking` for an id, a list of them for several; an item is not among its own.

        Raises:
            UnknownIdError: if an item is unknown.
            ValueError: if ``by`` is none of these.
        """
        content = ["content", *self.modalities] if self.modalities else []
        check_choice("by", by, ["behaviour", *content])
        check_request(k, None)
        asked = self.item_numbers([items] if isinstance(items, str) else items)
        found = [*map(self._ranking, self._search.similar(asked.tolist(), k, by))]
        return found[0] if isinstance(items, str) else found

    def explain(self, user_or_history: str | Sequence[str], item: str) -> Explanation:
        """Where the score of an item comes from: what was taken, over which edges, how much.

        Args:
            user_or_history: the id of a user, or the ids of the items that somebody took.
            item: the id of the item that is scored.

        Raises:
            UnknownIdError: if a user or an item is unknown.
            ValueError: if the model's scores are no sums.
        """
        (number,) = self.item_numbers([item])
        if isinstance(user_or_history, str):
            (user,) = numbers_of(self.user_number, [user_or_history], "user")
            taste = self._scores.explained_taste_of(int(user))
        else:
            taste = self._scores.taste_for(self.item_numbers(dict.fromkeys(user_or_history)))
        return explain(self._scores, taste, int(number))

    def add_items(
        self,
        features: Mapping[str, Any],
        ids: Sequence[str],
        *,
        titles: Sequence[str] | None = None,
        pictures: Sequence[str] | None = None,
    ) -> Self:
        """The same shop with items that nobody has taken yet, ranked beside the others.

        An item's vector is what the model makes of an item without interactions, by its item graph
        and its content term; to the items that were there an added one is no neighbour. A model
        without such a graph gives it the mean of its ten nearest by content.

        Args:
            features: by modality ``[n, width]``, as the model was trained on them; a modality left
                out, or a row of zeros, is one that the item lacks.
            ids: new ids.
            titles, pictures: as the artefact has them. (default: none)

        Returns:
            another recommender; this one stays as it is.

        Raises:
            ValueError: if an id is not new, features do not fit, or the model has no vectors.
        """
        tables = with_items(self.tables, features, list(ids), titles, pictures)
        return type(self)(tables, self.about, self.card, self.index)

    def _ranking(self, found: Found) -> Ranking:
        ids = tuple(self.item_ids[item] for item in found.items.tolist())
        return Ranking(ids, tuple(found.scores.tolist()))

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.about.get('model')!r}, {len(self.user_ids)} users, "
            f"{len(self.item_ids)} items)"
        )


def _nothing(user: int = 0) -> Array:
    return np.zeros(0, dtype=np.int64)

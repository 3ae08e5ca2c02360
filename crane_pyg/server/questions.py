"""What many requests ask at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from crane_pyg.serving import Explanation, Ranking, Recommender


@dataclass(frozen=True)
class OfUsers:
    """The lists of known users, several for each request."""

    recommender: Recommender
    k: int
    filter_seen: bool
    unknown: Literal["raise", "popular"]
    content_weight: float | None
    items: tuple[str, ...] | None
    exclude: tuple[str, ...] | None

    def __call__(self, requests: Sequence[Sequence[str]], /) -> list[list[Ranking]]:
        """A list of rankings for each request."""
        rankings = iter(
            self.recommender.recommend(
                [user for users in requests for user in users],
                self.k,
                filter_seen=self.filter_seen,
                items=self.items,
                exclude=self.exclude,
                unknown=self.unknown,
                content_weight=self.content_weight,
            )
        )
        return [[next(rankings) for _ in users] for users in requests]


@dataclass(frozen=True)
class OfHistories:
    """The list of somebody who took some items."""

    recommender: Recommender
    k: int
    filter_seen: bool
    content_weight: float | None

    def __call__(self, histories: Sequence[Sequence[str]], /) -> list[Ranking]:
        """A ranking for each history."""
        return self.recommender.recommend_for_histories(
            histories, self.k, filter_seen=self.filter_seen, content_weight=self.content_weight
        )


@dataclass(frozen=True)
class OfItems:
    """Items like others, several for each request."""

    recommender: Recommender
    k: int
    by: str

    def __call__(self, requests: Sequence[Sequence[str]], /) -> list[list[Ranking]]:
        """A list of rankings for each request."""
        rankings = iter(
            self.recommender.similar_items(
                [item for items in requests for item in items], self.k, by=self.by
            )
        )
        return [[next(rankings) for _ in items] for items in requests]


@dataclass(frozen=True)
class Why:
    """What the score of an item is made of, for a known user or somebody who took some items."""

    recommender: Recommender

    def __call__(self, asked: Sequence[tuple[str | tuple[str, ...], str]], /) -> list[Explanation]:
        """An explanation for each pair of whom and what."""
        return [self.recommender.explain(who, item) for who, item in asked]

"""Counts of interactions: degrees, duplicates, leaks, and who is unknown in training."""

from dataclasses import dataclass

import numpy as np

from crane_pyg.datasets.splits import SPLIT_NAMES

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)


@dataclass(frozen=True)
class Degrees:
    """How many distinct interactions the users, or the items, have.

    Args:
        count (int): Users that have any; all that follows is of these.
        unused (int): Ids without any interaction.
        mean (float): The mean number of interactions.
        quantiles (dict): Quantiles of that number, from ``'0%'`` to ``'100%'``.
        gini (float): 0 if all have as many, towards 1 if one has all.
        top_share (float): The share of the interactions that the top 1% (or the top one) have.
        histogram (tuple): Numbers of interactions that occur, ascending, and how many have each.
    """

    count: int
    unused: int
    mean: float
    quantiles: dict[str, float]
    gini: float
    top_share: float
    histogram: tuple[list[int], list[int]]


@dataclass(frozen=True)
class SplitCounts:
    """Counts of the distinct pairs of one split.

    Args:
        interactions (int): Pairs.
        users (int): Users that occur.
        items (int): Items that occur.
        cold_users (int): Users of these without a training interaction.
        cold_items (int): Items of these without a training interaction.
        cold_interactions (int): Pairs with such a user or item.
    """

    interactions: int
    users: int
    items: int
    cold_users: int
    cold_items: int
    cold_interactions: int


@dataclass(frozen=True)
class InteractionCounts:
    """Counts of the interactions of a data set.

    Args:
        rows (int): Rows of the file.
        distinct (int): Distinct pairs of a user and an item.
        repeated (int): Rows that repeat a pair within its split.
        leaks (dict): Pairs that two splits have, by the names of both, such as ``'train & test'``.
        splits (dict): Counts of each split, by its name.
        user (Degrees): Interactions of users, over all splits.
        item (Degrees): Interactions of items, over all splits.
    """

    rows: int
    distinct: int
    repeated: int
    leaks: dict[str, int]
    splits: dict[str, SplitCounts]
    user: Degrees
    item: Degrees

    @property
    def density(self) -> float:
        users, items = self.user.count + self.user.unused, self.item.count + self.item.unused
        return self.distinct / max(1, users * items)


def count_interactions(
    pairs: np.ndarray, label: np.ndarray, num_users: int, num_items: int
) -> InteractionCounts:
    """Counts rows as a file has them, duplicates and leaks included.

    Shapes:
        - **pairs:** :math:`(2, R)`, **label:** :math:`(R)`, 0 train, 1 val, 2 test
    """
    key = pairs[0] * num_items + pairs[1]
    keys = [np.unique(key[label == split]) for split in range(3)]
    leaks = {
        f"{SPLIT_NAMES[a]} & {SPLIT_NAMES[b]}": len(np.intersect1d(keys[a], keys[b], True))
        for a, b in ((0, 1), (0, 2), (1, 2))
    }
    distinct = np.unique(np.concatenate(keys))
    known_user, known_item = np.zeros(num_users, dtype=bool), np.zeros(num_items, dtype=bool)
    known_user[keys[0] // num_items], known_item[keys[0] % num_items] = True, True
    return InteractionCounts(
        rows=len(key),
        distinct=len(distinct),
        repeated=len(key) - sum(map(len, keys)),
        leaks=leaks,
        splits={
            name: _split(*np.divmod(part, num_items), known_user, known_item)
            for name, part in zip(SPLIT_NAMES, keys)
        },
        user=_degrees(distinct // num_items, num_users),
        item=_degrees(distinct % num_items, num_items),
    )


def _split(
    user: np.ndarray, item: np.ndarray, known_user: np.ndarray, known_item: np.ndarray
) -> SplitCounts:
    users, items = np.unique(user), np.unique(item)
    return SplitCounts(
        interactions=len(user),
        users=len(users),
        items=len(items),
        cold_users=int((~known_user[users]).sum()),
        cold_items=int((~known_item[items]).sum()),
        cold_interactions=int((~known_user[user] | ~known_item[item]).sum()),
    )


def _degrees(ids: np.ndarray, size: int) -> Degrees:
    every = np.bincount(ids, minlength=size)
    degree = np.sort(every[every > 0])
    n, total = len(degree), int(degree.sum())
    if n == 0:
        return Degrees(0, size, 0.0, {}, 0.0, 0.0, ([], []))
    values, counts = np.unique(degree, return_counts=True)
    rank = np.arange(1, n + 1)
    return Degrees(
        count=n,
        unused=size - n,
        mean=total / n,
        quantiles={f"{q:.0%}": float(np.quantile(degree, q)) for q in QUANTILES},
        gini=float(2 * (rank * degree).sum() / (n * total) - (n + 1) / n),
        top_share=float(degree[-max(1, n // 100) :].sum() / total),
        histogram=(values.tolist(), counts.tolist()),
    )

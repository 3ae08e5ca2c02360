"""Which interactions of a log become the data set, and in which split."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from crane_pyg.datasets._reader import ITEM, LABEL, TIMESTAMP, USER
from crane_pyg.datasets.interactions import SPLIT_NAMES
from crane_pyg.datasets.preparation.filters import (
    RATIO,
    distinct_pairs,
    k_core,
    renumber,
    split_by_time,
    split_last,
    split_random,
)
from crane_pyg.datasets.preparation.log import Log
from crane_pyg.datasets.preparation.writer import RATING

SPLITS = ("random", "time", "last", "given")


class Rules(NamedTuple):
    """What stays, and where it goes; each drops from what the one before left.

    Args:
        min_rating (float, optional): The least rating that counts as an interaction, if any; of
            a pair that comes twice the latest row counts. (default: :obj:`None`)
        k_core (int, optional): Interactions that every user and every item must have at least.
            (default: :obj:`0`)
        min_interactions (int, optional): The same for users alone. (default: :obj:`0`)
        split (str, optional): ``'random'`` over all interactions, ``'time'`` at two moments that
            are the same for all users, ``'last'`` of each user for test and the one before for
            validation, or ``'given'`` by the log. (default: :obj:`'random'`)
        ratio (sequence of float, optional): Shares of the three splits, of ``'random'`` and
            ``'time'``. (default: 0.8, 0.1 and 0.1)
        seed (int, optional): Of ``'random'``. (default: :obj:`0`)
    """

    min_rating: float | None = None
    k_core: int = 0
    min_interactions: int = 0
    split: str = "random"
    ratio: Sequence[float] = RATIO
    seed: int = 0


class Selection(NamedTuple):
    """What the rules left.

    Args:
        interactions (pandas.DataFrame): With the columns of ``.inter``.
        users (list): The id of each user number.
        items (list): The id of each item number.
        of_log (numpy.ndarray): The number that each item had in the log.
        dropped (dict): How many rows each rule took away, in their order.
        num_leaked (int): Pairs that the log has in several splits, kept in the earliest.
    """

    interactions: pd.DataFrame
    users: list[str]
    items: list[str]
    of_log: np.ndarray
    dropped: dict[str, int]
    num_leaked: int


def check_rules(rules: Rules, columns: Sequence[str], source: str) -> None:
    """Raises a :class:`ValueError` if a rule makes no sense, or needs what the log has not."""
    if rules.split not in SPLITS:
        raise ValueError(f"The split must be one of {', '.join(SPLITS)} (got {rules.split!r})")
    if len(rules.ratio) != 3 or not all(np.isfinite(part) and part > 0 for part in rules.ratio):
        raise ValueError(f"The ratio must be three positive numbers (got {rules.ratio})")
    for name in ("k_core", "min_interactions", "seed"):
        if getattr(rules, name) < 0:
            raise ValueError(f"{name} must not be negative (got {getattr(rules, name)})")
    needs = {"rating": rules.min_rating is not None, "timestamp": rules.split in ("time", "last")}
    for role, needed in {**needs, "label": rules.split == "given"}.items():
        if needed and role not in columns:
            what = "a least rating" if role == "rating" else f"the split {rules.split!r}"
            raise ValueError(
                f"'{source}' needs a column for the {role}, for {what} (got {', '.join(columns)})"
            )


def select(log: Log, rules: Rules, *, unknown: np.ndarray, source: str) -> Selection:
    """Applies the rules, which :func:`check_rules` has passed.

    Args:
        log (Log): The interactions.
        rules (Rules): The rules.
        unknown (numpy.ndarray): Which items of the log are to go at once.
        source (str): What messages call the log.

    Raises:
        ValueError: if nothing is left, or a split is empty.
    """
    rows = np.flatnonzero(~unknown[log.item])
    dropped = {"of unknown items": len(log.item) - len(rows)}
    distinct, num_leaked = distinct_pairs(
        log.user[rows],
        log.item[rows],
        timestamp=_at(log.timestamp, rows),
        label=_at(log.label, rows),
    )
    dropped["that repeat a pair"] = len(rows) - len(distinct)
    rows = rows[distinct]
    if rules.min_rating is not None:
        assert log.rating is not None
        high = log.rating[rows] >= rules.min_rating
        dropped[f"rated below {rules.min_rating:g}"] = int((~high).sum())
        rows = rows[high]
    min_user = max(rules.k_core, rules.min_interactions)
    stays = k_core(log.user[rows], log.item[rows], min_user=min_user, min_item=rules.k_core)
    dropped["of users or items with too few"] = int((~stays).sum())
    rows = rows[stays]
    if len(rows) == 0:
        took = ", ".join(f"{count:,} {why}" for why, count in dropped.items())
        raise ValueError(
            f"'{source}': no interactions are left (got {len(log.user):,}, dropped {took})"
        )
    user, of_log_user = renumber(log.user[rows])
    item, of_log = renumber(log.item[rows])
    table = pd.DataFrame({USER: user, ITEM: item, LABEL: _labels(log, rules, rows, user)})
    for column, values in ((RATING, log.rating), (TIMESTAMP, log.timestamp)):
        if values is not None:
            table[column] = values[rows]
    for value, count in enumerate(np.bincount(table[LABEL], minlength=3).tolist()):
        if count == 0:
            raise ValueError(
                f"'{source}': the {SPLIT_NAMES[value]} split is empty with the split "
                f"{rules.split!r} (got {len(rows):,} interactions)"
            )
    users = [log.users[number] for number in of_log_user]
    return Selection(
        table, users, [log.items[number] for number in of_log], of_log, dropped, num_leaked
    )


def _labels(log: Log, rules: Rules, rows: np.ndarray, user: np.ndarray) -> np.ndarray:
    if rules.split == "random":
        return split_random(len(rows), ratio=rules.ratio, seed=rules.seed)
    if rules.split == "given":
        assert log.label is not None
        return log.label[rows]
    assert log.timestamp is not None
    if rules.split == "time":
        return split_by_time(log.timestamp[rows], ratio=rules.ratio)
    return split_last(user, log.timestamp[rows])


def _at(values: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if values is None else values[rows]

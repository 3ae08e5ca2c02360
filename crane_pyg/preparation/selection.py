"""Choosing the interactions that become the data set, and splitting them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from crane_pyg.choices import check_choice
from crane_pyg.datasets.columns import ITEM, LABEL, RATING, TIMESTAMP, USER, Role
from crane_pyg.datasets.filters import distinct_pairs, k_core, renumber
from crane_pyg.datasets.splits import (
    RATIO,
    VAL,
    Split,
    check_labels,
    draw_val,
    label_interactions,
)
from crane_pyg.preparation.raw_interactions import RawInteractions


class Rules(NamedTuple):
    """The rules by which interactions are chosen and split.

    They apply in the order below, each to what the ones before left.

    Args:
        min_rating (float, optional): The least rating that counts as an interaction, if any; of
            a pair that comes twice the earliest row counts. (default: :obj:`None`)
        k_core (int, optional): Interactions that every user and every item must have at least.
            (default: :obj:`0`)
        min_interactions (int, optional): Interactions that every user must have at least.
            (default: :obj:`0`)
        split (str, optional): See :func:`~crane_pyg.datasets.splits.label_interactions`; equal
            rules and seeds give the split that reading the folder would draw. Where ``'given'``
            labels no pair val, a tenth of train is drawn for it. (default: :obj:`'random'`)
        ratio (sequence of float, optional): Shares of the three splits, of ``'random'`` and
            ``'time'``. (default: 0.8, 0.1 and 0.1)
        seed (int, optional): The seed of all that is drawn. (default: :obj:`0`)
    """

    min_rating: float | None = None
    k_core: int = 0
    min_interactions: int = 0
    split: Split = "random"
    ratio: Sequence[float] = RATIO
    seed: int = 0


class Selection(NamedTuple):
    """The interactions that the rules left.

    Args:
        interactions (pandas.DataFrame): A table with the columns of an ``.inter`` file.
        users (list): The id of each user number.
        items (list): The id of each item number.
        raw_item (numpy.ndarray): The number that each item had in the file.
        dropped (dict): The number of rows that each rule dropped, in their order.
        num_leaked (int): Pairs that the file has in several splits, kept in the earliest.
        num_drawn (int): Pairs of train that were drawn for val, as none was given.
    """

    interactions: pd.DataFrame
    users: list[str]
    items: list[str]
    raw_item: np.ndarray
    dropped: dict[str, int]
    num_leaked: int
    num_drawn: int


def check_rules(rules: Rules, columns: Sequence[str], source: str) -> None:
    """Raises a :class:`ValueError` if a rule makes no sense, or needs a column that is missing."""
    check_choice("split", rules.split, Split)
    if len(rules.ratio) != 3 or not all(np.isfinite(part) and part > 0 for part in rules.ratio):
        raise ValueError(f"The ratio must be three positive numbers (got {rules.ratio})")
    for name in ("k_core", "min_interactions", "seed"):
        if getattr(rules, name) < 0:
            raise ValueError(f"{name} must not be negative (got {getattr(rules, name)})")
    needs = {
        Role.RATING: rules.min_rating is not None,
        Role.TIMESTAMP: rules.split in ("time", "last"),
        Role.LABEL: rules.split == "given",
    }
    for role, needed in needs.items():
        if needed and role not in columns:
            what = "a least rating" if role == Role.RATING else f"the split {rules.split!r}"
            raise ValueError(
                f"'{source}' needs a column for the {role}, for {what} (got {', '.join(columns)})"
            )


def select(raw: RawInteractions, rules: Rules, *, unknown: np.ndarray, source: str) -> Selection:
    """Applies the rules, which :func:`check_rules` has passed.

    Args:
        raw (RawInteractions): The interactions.
        rules (Rules): The rules.
        unknown (numpy.ndarray): A mask of the items whose interactions are dropped first.
        source (str): The name of the file, for messages.

    Raises:
        ValueError: if nothing is left, or a split is empty.
    """
    rows = np.flatnonzero(~unknown[raw.item])
    dropped = {"of unknown items": len(raw.item) - len(rows)}
    distinct, num_leaked = distinct_pairs(
        raw.user[rows],
        raw.item[rows],
        label=_at(raw.label, rows),
        timestamp=_at(raw.timestamp, rows),
    )
    dropped["that repeat a pair"] = len(rows) - len(distinct)
    rows = rows[distinct]
    if rules.min_rating is not None:
        assert raw.rating is not None
        high = raw.rating[rows] >= rules.min_rating
        dropped[f"rated below {rules.min_rating:g}"] = int((~high).sum())
        rows = rows[high]
    min_user = max(rules.k_core, rules.min_interactions)
    stays = k_core(raw.user[rows], raw.item[rows], min_user=min_user, min_item=rules.k_core)
    dropped["of users or items with too few"] = int((~stays).sum())
    rows = rows[stays]
    if len(rows) == 0:
        took = ", ".join(f"{count:,} {why}" for why, count in dropped.items())
        raise ValueError(
            f"'{source}': no interactions are left (got {len(raw.user):,}, dropped {took})"
        )
    user, raw_user = renumber(raw.user[rows])
    item, raw_item = renumber(raw.item[rows])
    label = label_interactions(
        rules.split,
        user,
        item,
        label=_at(raw.label, rows),
        timestamp=_at(raw.timestamp, rows),
        ratio=rules.ratio,
        seed=rules.seed,
    )
    num_drawn = 0
    if rules.split == "given" and not (label == VAL).any():
        label, num_drawn = draw_val(label, user, item, seed=rules.seed)
    check_labels(
        label,
        where=f"'{source}'",
        got=f"{len(rows):,} interactions with the split {rules.split!r}",
    )
    table = pd.DataFrame({USER: user, ITEM: item, LABEL: label})
    for column, values in ((RATING, raw.rating), (TIMESTAMP, raw.timestamp)):
        if values is not None:
            table[column] = values[rows]
    return Selection(
        table,
        [raw.users[number] for number in raw_user],
        [raw.items[number] for number in raw_item],
        raw_item,
        dropped,
        num_leaked,
        num_drawn,
    )


def _at(values: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if values is None else values[rows]

"""Who reviewed what, from ``reviews_<Category>_5.json.gz``."""

import re
from array import array
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from crane_pyg.datasets.amazon.records import parse_record, read_lines
from crane_pyg.datasets.filters import distinct_pairs

REVIEWER, ASIN, OVERALL, TIME = "reviewerID", "asin", "overall", "unixReviewTime"
MAX_TIME = 2**31 - 1

_IS_ASIN = re.compile(r"[0-9A-Za-z]{10}")


class Reviews(NamedTuple):
    """Distinct pairs of a user and an item, sorted, with what their earliest review says.

    :obj:`users` and :obj:`items` are the ids of the file, sorted; a pair is a place in each.

    Shapes: pairs :math:`(2, E)` and time :math:`(E)` in :obj:`int64`, rating :math:`(E)`.
    """

    users: list[str]
    items: list[str]
    pairs: np.ndarray
    rating: np.ndarray
    time: np.ndarray
    num_repeated: int


def read_reviews(path: Path) -> Reviews:
    """Reads reviewer, item, rating and time of every line; the order of lines is no matter.

    Raises:
        ValueError: naming the file and the line, for whatever is wrong there.
    """
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    user, item, time, rating = array("q"), array("q"), array("q"), array("d")
    for number, line in read_lines(path):
        record = parse_record(path, number, line)
        if wrong := _wrong(record):
            raise ValueError(f"'{path}', line {number}: {wrong}")
        user.append(users.setdefault(record[REVIEWER], len(users)))
        item.append(items.setdefault(record[ASIN], len(items)))
        rating.append(record[OVERALL])
        time.append(record[TIME])
    if not users:
        raise ValueError(f"'{path}' must hold a review a line (got none)")
    names, user_id = _sorted(users, user)
    asins, item_id = _sorted(items, item)
    when = np.array(time)
    kept, _ = distinct_pairs(user_id, item_id, timestamp=when)
    kept = kept[np.lexsort((item_id[kept], user_id[kept]))]
    return Reviews(
        names,
        asins,
        np.stack([user_id[kept], item_id[kept]]),
        np.array(rating)[kept],
        when[kept],
        len(when) - len(kept),
    )


def is_asin(value: Any) -> bool:
    """Whether :obj:`value` is ten ASCII letters and digits."""
    return isinstance(value, str) and _IS_ASIN.fullmatch(value) is not None


def _wrong(record: dict[str, Any]) -> str | None:
    for name in (REVIEWER, ASIN, OVERALL, TIME):
        if name not in record:
            return f"must have a '{name}' (got {sorted(map(str, record))})"
    user, rating, time = record[REVIEWER], record[OVERALL], record[TIME]
    if not (isinstance(user, str) and user and user.isprintable()):
        return f"'{REVIEWER}' must be a printable text (got {user!r})"
    if not is_asin(record[ASIN]):
        return f"'{ASIN}' must be ten ASCII letters and digits (got {record[ASIN]!r})"
    if type(rating) not in (int, float) or not 0 <= rating <= 5:
        return f"'{OVERALL}' must be a number from 0 to 5 (got {rating!r})"
    if type(time) is not int or not 0 <= time <= MAX_TIME:
        return f"'{TIME}' must be seconds from 0 to {MAX_TIME} (got {time!r})"
    return None


def _sorted(ids: dict[str, int], column: array) -> tuple[list[str], np.ndarray]:
    """The ids in order, and a column of their former numbers in the new ones."""
    names = sorted(ids)
    place = np.empty(len(names), dtype=np.int64)
    place[[ids[name] for name in names]] = np.arange(len(names))
    return names, place[np.array(column)]

"""What the items say of themselves, from ``meta_<Category>.json.gz``."""

import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from crane_pyg.datasets.amazon.records import parse_record, read_lines
from crane_pyg.datasets.amazon.reviews import ASIN, is_asin

FIELDS = ("title", "brand", "categories", "description")

_LEADING_ASIN = re.compile(rb"""\s*\{\s*(['"])asin\1\s*:\s*(['"])([0-9A-Za-z]{10})\2""")


class Texts(NamedTuple):
    """A text per item, empty where the file says nothing of it."""

    texts: list[str]
    num_repeated: int


def read_texts(path: Path, items: Sequence[str]) -> Texts:
    """Reads title, brand, categories and description of :obj:`items`.

    A line that begins with the ASIN of another item is not looked at any further. Of several
    lines about one item the first is taken.

    Raises:
        ValueError: naming the file and the line, for whatever is wrong there, or if the file has
            no line about any of the items.
    """
    wanted = {name.encode(): place for place, name in enumerate(items)}
    found: dict[int, str] = {}
    number = num_repeated = 0
    for number, line in read_lines(path):
        leading = _LEADING_ASIN.match(line)
        if leading and leading[3] not in wanted:
            continue
        record = parse_record(path, number, line)
        if not is_asin(record.get(ASIN)):
            raise ValueError(
                f"'{path}', line {number}: '{ASIN}' must be ten ASCII letters and digits "
                f"(got {record.get(ASIN)!r})"
            )
        place = wanted.get(record[ASIN].encode())
        if place is None:
            continue
        num_repeated += place in found
        found.setdefault(place, _text(path, number, record))
    if not found:
        raise ValueError(
            f"'{path}' must tell of items that were reviewed (got none of {len(items):,} in "
            f"{number:,} lines)"
        )
    texts = [found.get(place, "") for place in range(len(items))]
    return Texts(texts, num_repeated)


def _text(path: Path, number: int, record: dict[str, Any]) -> str:
    words: dict[str, None] = {}  # each part once, in order
    for field in FIELDS:
        for part in _parts(record.get(field)):
            if not isinstance(part, str | int | float):
                raise ValueError(
                    f"'{path}', line {number}: '{field}' must be text or lists of it (got {part!r})"
                )
            words[html.unescape(str(part))] = None
    text = " ".join(words)
    return " ".join(text.encode("utf-8", "replace").decode().split())


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for part in value:
            yield from _parts(part)
    elif value is not None:
        yield value

"""Lines of fields without quotes, as programs write them that were not made for spreadsheets."""

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import itemgetter
from pathlib import Path

from crane_pyg.datasets.text_bytes import count_lines, text_lines
from crane_pyg.limits import existing_file

_BLOCK = 500


class PlainTable:
    """A text of which each line is a row, and every mark but the separator belongs to a field.

    Blank lines are passed over.

    Args:
        path (Path): The file, perhaps gzipped.
        separator (str): What stands between two fields, of one or more characters.
        columns (sequence of str, optional): The names of the fields; those of the first line if
            :obj:`None`. (default: :obj:`None`)
        encoding (str, optional): How the text is written. (default: :obj:`'utf-8'`)

    Raises:
        ValueError: if there is no such file; while it is read, naming the line, if that has more
            or fewer fields or is not written so.
    """

    def __init__(
        self,
        path: Path,
        separator: str,
        columns: Sequence[str] | None = None,
        *,
        encoding: str = "utf-8",
    ) -> None:
        self.path, self.separator, self.encoding = existing_file(path), separator, encoding
        self.has_header = columns is None
        first = (
            next(text_lines(self.path, self.encoding), (1, ""))[1]
            .removeprefix("\ufeff")
            .split(separator)
        )
        self.columns = [name.strip() for name in first] if columns is None else list(columns)
        if len(set(self.columns)) < len(self.columns) or not all(self.columns):
            raise ValueError(
                f"'{path}', line 1: must name each column, and each once (got {self.columns})"
            )

    def blocks(self, columns: Sequence[str]) -> Iterator[list[list[str]]]:
        """Yields the values of each of some columns, for a block of rows at a time."""
        pick = [itemgetter(self.columns.index(column)) for column in columns]
        rows = self._rows()
        while block := list(islice(rows, _BLOCK)):
            yield [list(map(get, block)) for get in pick]

    def where(self, row: int) -> str:
        """Names the file and the line of a row, which is counted from 0."""
        line, _ = next(islice(text_lines(self.path, self.encoding), row + self.has_header, None))
        return f"'{self.path}', line {line}"

    def size(self) -> str:
        """Says how many rows there are."""
        return f"{count_lines(self.path) - self.has_header:,} rows"

    def _rows(self) -> Iterator[list[str]]:
        width = len(self.columns)
        for line, text in islice(text_lines(self.path, self.encoding), self.has_header, None):
            row = text.split(self.separator)
            if len(row) != width:
                raise ValueError(
                    f"'{self.path}', line {line}: must have {width} fields between "
                    f"{self.separator!r} (got {len(row)})"
                )
            yield row


class ListTable:
    """Lines of a user and all their items, between blanks; a row is a pair of both.

    A user without items has no row.

    Args:
        path (Path): The file, perhaps gzipped.
    """

    def __init__(self, path: Path) -> None:
        self.path = existing_file(path)
        self.columns = ["user", "item"]

    def blocks(self, columns: Sequence[str]) -> Iterator[list[list[str]]]:
        """Yields the values of each of some columns, for a block of rows at a time."""
        pairs: dict[str, list[str]] = {"user": [], "item": []}
        for _, user, items in self._lists():
            pairs["user"] += [user] * len(items)
            pairs["item"] += items
            if len(pairs["user"]) >= _BLOCK:
                yield [pairs[column] for column in columns]
                pairs = {"user": [], "item": []}
        yield [pairs[column] for column in columns]

    def where(self, row: int) -> str:
        """Names the file and the line of a row, which is counted from 0."""
        for line, _, items in self._lists():
            if row < len(items):
                return f"'{self.path}', line {line}"
            row -= len(items)
        raise IndexError(row)

    def size(self) -> str:
        """Says how many rows there are."""
        return f"{sum(len(items) for _, _, items in self._lists()):,} rows"

    def _lists(self) -> Iterator[tuple[int, str, list[str]]]:
        for line, text in text_lines(self.path):
            user, *items = text.split()
            if items:
                yield line, user, items

"""Tables of text, read strictly in blocks: delimited, perhaps compressed, or parquet."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, Protocol

from crane_pyg.datasets.text_bytes import count_lines, open_bytes
from crane_pyg.limits import check_limit, check_unpacked, existing_file, shown

DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "pipe"}

_BLOCK = 500  # rows that stay in the processor's cache: two thirds of the time of 2,000
_PARQUET = b"PAR1"


class Table(Protocol):
    """Columns of text by name, and where each row stands in its file."""

    path: Path
    columns: list[str]

    def blocks(self, columns: Sequence[str]) -> Iterator[list[list[str]]]:
        """Yields the values of each of some columns, for a block of rows at a time."""

    def where(self, row: int) -> str:
        """Names the file and the place of a row, which is counted from 0."""

    def size(self) -> str:
        """Says how much there is to read: rows, or lines where a row may have several."""


def open_table(path: Path, *, delimiter: str | None = None, quoted: bool = True) -> Table:
    """Opens a table by what its first bytes say it is.

    Args:
        path (Path): Parquet (needs pyarrow), or UTF-8 text with a header, perhaps gzipped.
        delimiter (str, optional): The delimiter of a text. If :obj:`None`, the one of comma, tab,
            semicolon and pipe that the header has. (default: :obj:`None`)
        quoted (bool, optional): Whether a field may be put in double quotes. If not, they are
            characters like others. (default: :obj:`True`)

    Raises:
        ValueError: if there is no such file, it is of neither kind, or its header has no names,
            repeats one, or leaves the delimiter open.
    """
    with existing_file(path).open("rb") as file:
        if file.read(len(_PARQUET)) == _PARQUET:
            return ParquetTable(path)
    return DelimitedTable(path, delimiter, quoted=quoted)


def check_columns(table: Table, columns: Sequence[str]) -> None:
    """Raises a :class:`ValueError` naming the file if it lacks one of some columns."""
    for column in columns:
        if column not in table.columns:
            raise ValueError(
                f"'{table.path}' needs a column '{column}' (got {shown(table.columns)})"
            )


def read_columns(table: Table, columns: Sequence[str]) -> list[list[str]]:
    """Returns the whole of some columns."""
    blocks = list(table.blocks(columns))
    return [[value for block in blocks for value in block[n]] for n in range(len(columns))]


class DelimitedTable:
    """A text with a header; every record must have as many fields. Blank lines are passed over."""

    def __init__(self, path: Path, delimiter: str | None, *, quoted: bool = True) -> None:
        self.path = path
        self.quoted = quoted
        with self._text() as text:
            header = text.readline()
        self.delimiter = delimiter or self._infer(header)
        first = next(self._records(), ([], 1))
        self.columns = [name.strip() for name in first[0]]
        if not any(self.columns):
            raise ValueError(f"'{path}', line 1: must name the columns (got {shown(header)})")
        _check_names(self.columns, f"'{path}', line 1")

    def blocks(self, columns: Sequence[str]) -> Iterator[list[list[str]]]:
        pick = [itemgetter(self.columns.index(column)) for column in columns]
        width = {len(self.columns)}
        with self._text() as text:
            reader = self._reader(text)
            next(reader)
            while True:
                try:
                    rows = list(islice(reader, _BLOCK))
                except csv.Error:
                    self._raise_malformed()
                if not rows:
                    return
                if set(map(len, rows)) != width:
                    rows = [row for row in rows if row]
                    if not set(map(len, rows)) <= width:
                        self._raise_malformed()
                yield [list(map(get, rows)) for get in pick]

    def where(self, row: int) -> str:
        _, line = next(islice(self._records(), row + 1, None))
        return f"'{self.path}', line {line}"

    def size(self) -> str:
        return f"{count_lines(self.path):,} lines"

    def _records(self) -> Iterator[tuple[list[str], int]]:
        """Yields every record, the header too, with the line that it starts on."""
        with self._text() as text:
            reader, line = self._reader(text), 1
            try:
                for record in reader:
                    if record:
                        yield record, line
                    line = reader.line_num + 1
            except csv.Error as error:
                raise ValueError(
                    f"'{self.path}', line {line}: must be fields between "
                    f"{_name_of(self.delimiter)}s, every quote closed (got: {error})"
                ) from error

    def _raise_malformed(self) -> None:
        width = len(self.columns)
        for record, line in self._records():
            if len(record) != width:
                raise ValueError(
                    f"'{self.path}', line {line}: must have {width} fields between "
                    f"{_name_of(self.delimiter)}s, as the header has (got {len(record)})"
                )

    def _reader(self, text: IO[str]) -> Any:
        if self.quoted:
            return csv.reader(text, delimiter=self.delimiter, strict=True)
        return csv.reader(text, delimiter=self.delimiter, strict=True, quoting=csv.QUOTE_NONE)

    @contextmanager
    def _text(self) -> Iterator[IO[str]]:
        try:
            with open_bytes(self.path) as raw:
                yield io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"'{self.path}', line {self._undecodable()}: must be UTF-8 "
                f"(got the byte {error.object[error.start : error.start + 1]!r})"
            ) from error

    def _undecodable(self) -> int:
        with open_bytes(self.path) as raw:
            return next(line for line, content in enumerate(raw, 1) if not _is_utf8(content))

    def _infer(self, header: str) -> str:
        found = [mark for mark in DELIMITERS if mark in header]
        if len(found) > 1:
            names = " and ".join(_name_of(mark) for mark in found)
            raise ValueError(
                f"'{self.path}', line 1: one delimiter must be given, the header has several "
                f"(got {names})"
            )
        return found[0] if found else ","


class ParquetTable:
    """A parquet file; numbers and times are handed out as text too, and nulls as empty text."""

    def __init__(self, path: Path) -> None:
        try:
            from pyarrow import ArrowException
            from pyarrow.parquet import ParquetFile
        except ImportError as error:
            raise ValueError(
                f"'{path}' needs pyarrow: pip install 'crane-pyg[prepare]' (got no such package)"
            ) from error
        self.path = path
        try:
            self._file = ParquetFile(path)
        except (ArrowException, OSError) as error:
            raise ValueError(f"'{path}' must be a whole parquet file (got: {error})") from error
        self.columns = list(self._file.schema_arrow.names)
        about = self._file.metadata
        sizes = (about.row_group(n).total_byte_size for n in range(about.num_row_groups))
        check_unpacked(path, max(sum(sizes), about.num_rows * about.num_columns))
        _check_names(self.columns, f"'{path}'")

    def blocks(self, columns: Sequence[str]) -> Iterator[list[list[str]]]:
        from pyarrow import ArrowException

        try:
            for batch in self._file.iter_batches(_BLOCK, columns=list(columns)):
                yield [self._as_text(batch.column(column), column) for column in columns]
        except (ArrowException, OSError) as error:
            raise ValueError(f"'{self.path}' cannot be read to its end (got: {error})") from error

    def where(self, row: int) -> str:
        return f"'{self.path}', row {row + 1}"

    def size(self) -> str:
        return f"{self._file.metadata.num_rows:,} rows"

    def _as_text(self, values: Any, column: str) -> list[str]:
        import pyarrow as pa

        try:
            return values.cast(pa.string()).fill_null("").to_pylist()
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise ValueError(
                f"'{self.path}', column '{column}': must hold text, numbers or times "
                f"(got {values.type})"
            ) from error


def _check_names(columns: list[str], where: str) -> None:
    check_limit("COLUMNS", len(columns), f"{where}: columns")
    for column, count in Counter(columns).items():
        if count > 1:
            raise ValueError(f"{where}: must name each column once (got {shown(column)} twice)")


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _name_of(delimiter: str) -> str:
    return DELIMITERS.get(delimiter, repr(delimiter))

"""Tables made of others: several as one, or one that says more than its file does."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from crane_pyg.datasets.tables import Table
from crane_pyg.limits import shown

SPLIT = "split"  # the column that a stack adds


class StackedTable:
    """The files of a split, one below the other, with a column that says which one a row is of.

    Args:
        folder (Path): What messages about the whole name.
        parts (dict): The tables by label of the split, all with the columns of the first.
    """

    def __init__(self, folder: Path, parts: Mapping[str, Table]) -> None:
        self.path, self.parts = folder, dict(parts)
        self.columns = [*next(iter(self.parts.values())).columns, SPLIT]
        for table in self.parts.values():
            if table.columns != self.columns[:-1]:
                raise ValueError(
                    f"'{table.path}' must have the columns {self.columns[:-1]}, as the other files "
                    f"of the split have (got {table.columns})"
                )

    def blocks(self, columns: Sequence[str]) -> Iterator[list[list[str]]]:
        """Yields the values of each of some columns, for a block of rows at a time."""
        stored = [column for column in columns if column != SPLIT] or self.columns[:1]
        for label, table in self.parts.items():
            for block in table.blocks(stored):
                of = dict(zip(stored, block)) | {SPLIT: [label] * len(block[0])}
                yield [of[column] for column in columns]

    def where(self, row: int) -> str:
        """Names the file and the place of a row, which is counted from 0."""
        for table in self.parts.values():
            count = sum(len(block[0]) for block in table.blocks(table.columns[:1]))
            if row < count:
                return table.where(row)
            row -= count
        raise IndexError(row)

    def size(self) -> str:
        """Says how much there is to read of each file."""
        return ", ".join(f"{label} {table.size()}" for label, table in self.parts.items())


class RenamedTable:
    """A table in which numbers stand for ids that another file has.

    Args:
        table (Table): The table.
        names (dict): For some of its columns, the id of each number.
    """

    def __init__(self, table: Table, names: Mapping[str, Mapping[str, str]]) -> None:
        self.table, self.names = table, names
        self.path, self.columns = table.path, table.columns

    def blocks(self, columns: Sequence[str]) -> Iterator[list[list[str]]]:
        """Yields the values of each of some columns, for a block of rows at a time."""
        row = 0
        for block in self.table.blocks(columns):
            yield [
                self._named(column, values, row) if column in self.names else values
                for column, values in zip(columns, block)
            ]
            row += len(block[0])

    def where(self, row: int) -> str:
        """Names the file and the place of a row, which is counted from 0."""
        return self.table.where(row)

    def size(self) -> str:
        """Says how much there is to read."""
        return self.table.size()

    def _named(self, column: str, values: list[str], row: int) -> list[str]:
        names = self.names[column]
        try:
            return [names[value] for value in values]
        except KeyError:
            place = next(place for place, value in enumerate(values) if value not in names)
            raise ValueError(
                f"{self.where(row + place)}, column '{column}': must be a number that the file of "
                f"ids has (got {shown(values[place])})"
            ) from None


def names_by_number(path: Path, numbers: Sequence[str], ids: Sequence[str]) -> dict[str, str]:
    """Returns the id of each number.

    Args:
        path (Path): The file that they come from, for messages.
        numbers (sequence of str): The numbers.
        ids (sequence of str): Their ids.

    Raises:
        ValueError: if a number or an id comes twice.
    """
    for values in (numbers, ids):
        if len(set(values)) < len(values):
            again = next(value for value, count in Counter(values).items() if count > 1)
            raise ValueError(
                f"'{path}' must name each id and each number once (got {shown(again)} again)"
            )
    return dict(zip(numbers, ids))


class FlaggedTable:
    """A table in which words are columns of zeros and ones, with one column of these words more.

    Args:
        table (Table): The table.
        column (str): The name of the column to add.
        flags (sequence of str): The columns of zeros and ones, called as the words are.
    """

    def __init__(self, table: Table, column: str, flags: Sequence[str]) -> None:
        self.table, self.column, self.flags = table, column, list(flags)
        self.path, self.columns = table.path, [*table.columns, column]

    def blocks(self, columns: Sequence[str]) -> Iterator[list[list[str]]]:
        """Yields the values of each of some columns, for a block of rows at a time."""
        stored = [column for column in columns if column != self.column]
        for block in self.table.blocks([*stored, *self.flags]):
            of = dict(zip(stored, block))
            rows = zip(*block[len(stored) :])
            of[self.column] = [
                " ".join(word for word, flag in zip(self.flags, row) if flag == "1") for row in rows
            ]
            yield [of[column] for column in columns]

    def where(self, row: int) -> str:
        """Names the file and the place of a row, which is counted from 0."""
        return self.table.where(row)

    def size(self) -> str:
        """Says how much there is to read."""
        return self.table.size()

"""Lists of items by user, as the repositories of NGCF, LightGCN and many after them keep them."""

from pathlib import Path

from crane_pyg.datasets.tables import Table
from crane_pyg.datasets.text_bytes import text_lines
from crane_pyg.preparation.combined_tables import (
    RenamedTable,
    StackedTable,
    names_by_number,
)
from crane_pyg.preparation.plain_table import ListTable
from crane_pyg.preparation.sources import Sources

FILES = {"train": ("train.txt",), "val": ("val.txt", "valid.txt"), "test": ("test.txt",)}
NAMES = {"user": "user_list.txt", "item": "item_list.txt"}


class LightGCNFormat:
    """``train.txt`` and ``test.txt``, perhaps ``val.txt``: a line is a user and all their items.

    Where ``user_list.txt`` and ``item_list.txt`` name the original ids, these are kept.
    """

    looks_like = "train.txt and test.txt, a user and all their items in a line"

    def recognises(self, folder: Path) -> bool:
        """Tells whether both names are there."""
        return (folder / "train.txt").is_file() and (folder / "test.txt").is_file()

    def sources(self, folder: Path) -> Sources:
        """Opens the lists of every split."""
        names = {
            column: _read_names(folder / file)
            for column, file in NAMES.items()
            if (folder / file).exists()
        }
        parts: dict[str, Table] = {}
        for label, files in FILES.items():
            for file in files:
                if (folder / file).exists():
                    lists = ListTable(folder / file)
                    parts[label] = RenamedTable(lists, names) if names else lists
        if "train" not in parts:
            raise ValueError(f"'{folder}' must hold a file 'train.txt' (got none)")
        stacked = StackedTable(folder, parts)
        return Sources(stacked, split="given" if "test" in parts else None)


def _read_names(path: Path) -> dict[str, str]:
    """The original id of each number: a header, then an id and a number in each line."""
    numbers, ids = [], []
    for line, text in list(text_lines(path))[1:]:
        fields = text.split()
        if len(fields) < 2:
            raise ValueError(f"'{path}', line {line}: must be an id and a number (got {text!r})")
        ids.append(fields[0])
        numbers.append(fields[1])
    return names_by_number(path, numbers, ids)

"""RecBole's atomic files: tables whose header says the type of each column."""

from pathlib import Path

from crane_pyg.datasets.tables import Table
from crane_pyg.datasets.text_bytes import text_lines
from crane_pyg.preparation.column_choice import choose_texts
from crane_pyg.preparation.combined_tables import StackedTable
from crane_pyg.preparation.plain_table import PlainTable
from crane_pyg.preparation.sources import Sources

TYPES = ("token", "token_seq", "float", "float_seq")
PARTS = {"train": "train", "valid": "val", "test": "test"}  # NAME.train.inter holds train


class RecBoleFormat:
    """``NAME.inter``, or ``NAME.train.inter`` and so on, perhaps with ``NAME.item``.

    Headers read ``user_id:token``, ``timestamp:float``; fields stand between tabs. Texts of an item
    are its sequences of tokens, and whatever has the usual name of a text.
    """

    looks_like = "NAME.inter with a typed header, such as user_id:token"

    def recognises(self, folder: Path) -> bool:
        """Tells whether the first line of an ``.inter`` file gives types."""
        return any(_is_typed(path) for path in sorted(folder.glob("*.inter")))

    def sources(self, folder: Path) -> Sources:
        """Opens interactions and items."""
        paths = {path.name: path for path in sorted(folder.glob("*.inter"))}
        if not paths:
            raise ValueError(f"'{folder}' must hold an '.inter' file (got none)")
        name = min(paths).partition(".")[0]
        if strange := [file for file in paths if file.partition(".")[0] != name]:
            raise ValueError(f"'{folder}' must hold one data set (got '{name}' and {strange})")
        parts = {
            label: paths[f"{name}.{part}.inter"]
            for part, label in PARTS.items()
            if f"{name}.{part}.inter" in paths
        }
        interactions: Table
        if parts:
            opened = {label: _TypedTable(path) for label, path in parts.items()}
            interactions = StackedTable(folder, opened)
        else:
            interactions = _TypedTable(folder / f"{name}.inter")
        path = folder / f"{name}.item"
        items = _TypedTable(path) if path.exists() else None
        return Sources(
            interactions,
            items,
            text_columns=None if items is None else items.texts(),
            split="given" if parts else None,
        )


class _TypedTable(PlainTable):
    """A table between tabs with ``name:type`` for its columns."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "\t")
        self.types: dict[str, str] = {}
        for column in self.columns:
            name, _, kind = column.rpartition(":")
            if not name or kind not in TYPES:
                raise ValueError(
                    f"'{path}', line 1: must be names with a type of {', '.join(TYPES)}, such as "
                    f"item_id:token (got {column!r})"
                )
            self.types[name] = kind
        self.columns = list(self.types)

    def texts(self) -> list[str]:
        """Names the columns of words."""
        usual = choose_texts(self, None, option="--text-columns")
        return [
            name
            for name, kind in self.types.items()
            if kind == "token_seq" or (kind == "token" and name in usual)
        ]


def _is_typed(path: Path) -> bool:
    try:
        _, header = next(text_lines(path), (1, ""))
    except (ValueError, OSError):
        return False
    names = header.split("\t")
    return all(name.rpartition(":")[2] in TYPES and ":" in name for name in names)

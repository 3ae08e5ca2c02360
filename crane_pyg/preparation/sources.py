"""The files that a data set is made of, and the meaning of their columns."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from crane_pyg.choices import check_choice
from crane_pyg.datasets.columns import Role
from crane_pyg.datasets.npy import check_modality
from crane_pyg.datasets.splits import Split
from crane_pyg.datasets.tables import Table, open_table
from crane_pyg.preparation.catalogue import Catalogue, read_catalogue
from crane_pyg.preparation.column_choice import (
    choose_column,
    choose_texts,
    choose_title,
    describe_columns,
    describe_unused,
)
from crane_pyg.preparation.combined_tables import StackedTable
from crane_pyg.preparation.pictures import pictures_by_column, pictures_by_id
from crane_pyg.preparation.raw_interactions import RawInteractions

UnknownItems = Literal["error", "drop", "keep"]


@dataclass(frozen=True)
class Sources:
    """The files to prepare, and the columns that do not have one of the usual names.

    Args:
        interactions (Path or Table): A table with a row per interaction.
        items (Path or Table, optional): A table with a row per item. (default: :obj:`None`)
        images (Path, optional): A folder of pictures. (default: :obj:`None`)
        features (dict, optional): Files of computed features, by modality.
        ids (dict, optional): The items of the features' rows, or files that name them, by modality.
        columns (dict, optional): The columns of :obj:`interactions`, by role, such as ``'user'``.
        item_column (str, optional): The column of ids in :obj:`items`. (default: :obj:`None`)
        image_column (str, optional): The column of paths in :obj:`items`. (default: :obj:`None`)
        text_columns (sequence of str, optional): The columns of texts in :obj:`items`.
            (default: :obj:`None`)
        delimiter (str, optional): The delimiter of both tables, if they are text; that of their
            headers if :obj:`None`. (default: :obj:`None`)
        split (str, optional): The split that the files come with; others may be made.
            (default: :obj:`None`)
    """

    interactions: Path | Table
    items: Path | Table | None = None
    images: Path | None = None
    features: Mapping[str, Path] = field(default_factory=dict)
    ids: Mapping[str, Path | Sequence[str]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    item_column: str | None = None
    image_column: str | None = None
    text_columns: Sequence[str] | None = None
    delimiter: str | None = None
    split: Split | None = None


class OpenedSources:
    """The tables of :class:`Sources`, opened, with the meaning of their columns decided.

    Args:
        sources (Sources): The files.
        labelled (bool): Whether the interactions must say their split.
        show (callable): Called with a line that says what the columns are taken for.
    """

    def __init__(self, sources: Sources, *, labelled: bool, show: Callable[[str], None]) -> None:
        self.sources = sources
        if Role.LABEL in sources.columns and not labelled:
            raise ValueError("A label column needs the split 'given' (got another)")
        for modality in sources.features:
            check_modality(modality)
        if alone := sources.ids.keys() - sources.features.keys():
            raise ValueError(f"Ids need features of the same name (got {sorted(alone)})")
        self.interactions = _opened(sources.interactions, sources.delimiter)
        roles = [
            Role.USER,
            Role.ITEM,
            Role.RATING,
            Role.TIMESTAMP,
            *([Role.LABEL] if labelled else []),
        ]
        self.interaction_columns: dict[str, str] = {}
        for role in roles:
            column = choose_column(
                self.interactions,
                role,
                sources.columns.get(role),
                needed=role in (Role.USER, Role.ITEM, Role.LABEL),
                option=f"--{role}-column",
            )
            if column is not None:
                self.interaction_columns[role] = column
        show(describe_columns(self.interactions, self.interaction_columns))

        self.items: Table | None = None
        self.item_columns: dict[str, Any] = {}
        if sources.items is not None:
            self.items = _opened(sources.items, sources.delimiter)
            self.item_columns = self._choose_item_columns(self.items)
            show(
                describe_columns(self.items, self.item_columns) + self._describe_unused(self.items)
            )
        elif sources.image_column or sources.text_columns or sources.item_column:
            raise ValueError("Columns of the items need a table of items (got no --items)")
        if sources.image_column and sources.images is None:
            raise ValueError("An image column needs the folder of the images (got no --images)")

    def _choose_item_columns(self, table: Table) -> dict[str, Any]:
        sources = self.sources
        item = choose_column(
            table,
            Role.ITEM,
            sources.item_column,
            needed=not _has_id(table),
            option="--item-id-column",
        )
        image = None
        if sources.images is not None:
            image = choose_column(
                table, Role.IMAGE, sources.image_column, needed=False, option="--image-column"
            )
        texts = choose_texts(table, sources.text_columns, option="--text-columns")
        return {"item": item or "id", "text": texts, "image": image}

    def _describe_unused(self, table: Table) -> str:
        if self.sources.text_columns is not None:
            return ""
        chosen = self.item_columns
        used = [chosen["item"], *chosen["text"], chosen["image"], choose_title(table)]
        return describe_unused(table, used, option="--text-columns")

    def read_catalogue(self, raw: RawInteractions) -> Catalogue | None:
        """Reads what the table of items says of the items that the interactions name."""
        if self.items is None:
            return None
        wanted = {item: number for number, item in enumerate(raw.items)}
        columns = self.item_columns
        return read_catalogue(
            self.items,
            wanted,
            item=columns["item"],
            texts=columns["text"],
            image=columns["image"],
            title=choose_title(self.items),
        )

    def check_known(
        self, raw: RawInteractions, catalogue: Catalogue | None, policy: UnknownItems
    ) -> np.ndarray:
        """Returns a mask of the items to drop because the table of items has no row for them.

        Raises:
            ValueError: if there is one, and the policy is an error; naming the first. And if there
                is no such policy.
        """
        check_choice("unknown_items", policy, UnknownItems)
        if catalogue is None:
            return np.zeros(len(raw.items), dtype=bool)
        unknown = np.array(catalogue.rows) < 0
        if unknown.any() and policy == "error":
            row = int(unknown[raw.item].argmax())
            assert self.items is not None
            column = self.interaction_columns[Role.ITEM]
            raise ValueError(
                f"{self.interactions.where(row)}, column '{column}': must be an item of "
                f"'{self.items.path}'; --unknown-items drop or keep goes on without (got "
                f"{raw.items[raw.item[row]]!r}; {int(unknown.sum()):,} of {len(unknown):,} items "
                f"are unknown)"
            )
        return unknown & (policy == "drop")

    def pictures(
        self, raw: RawInteractions, catalogue: Catalogue | None
    ) -> list[Path | None] | None:
        """Returns the path of each item's picture; :obj:`None` without a folder of pictures."""
        if self.sources.images is None:
            return None
        column = self.item_columns.get("image")
        if column is None or self.items is None or catalogue is None:
            return pictures_by_id(self.sources.images, raw.items)
        return pictures_by_column(self.sources.images, catalogue, self.items, column)

    def about(self) -> dict[str, Any]:
        """Describes the files and their columns, for ``dataset.json``."""
        paths = {
            "interactions": _files(self.interactions),
            **({} if self.items is None else {"items": _files(self.items)}),
            **{modality: [path] for modality, path in self.sources.features.items()},
        }
        tables = {kind: _describe(files) for kind, files in paths.items()}
        images = {} if self.sources.images is None else {"images": str(self.sources.images)}
        columns = {"interactions": self.interaction_columns, "items": self.item_columns}
        return {**tables, **images, "columns": columns}


def _has_id(table: Table) -> bool:
    return "id" in table.columns  # too common a name for a log, the natural one for items


def _opened(source: Path | Table, delimiter: str | None) -> Table:
    return open_table(source, delimiter=delimiter) if isinstance(source, Path) else source


def _files(table: Table) -> list[Path]:
    if isinstance(table, StackedTable):
        return [part.path for part in table.parts.values()]
    return [table.path]


def _describe(files: Sequence[Path]) -> Any:
    found = [{"path": str(path), "sha256": _sha256(path)} for path in files]
    return found[0] if len(found) == 1 else found


def _sha256(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()

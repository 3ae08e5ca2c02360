"""A folder as MMRec, the toolbox of multimodal recommendation, takes it."""

from pathlib import Path

from crane_pyg.datasets.columns import ITEM, LABEL, USER
from crane_pyg.datasets.interactions import find_interactions
from crane_pyg.datasets.npy import find_features, open_npy
from crane_pyg.datasets.tables import Table, check_columns, open_table, read_columns
from crane_pyg.preparation.combined_tables import RenamedTable, names_by_number
from crane_pyg.preparation.sources import Sources

MAPPINGS = {USER: "u_id_mapping.csv", ITEM: "i_id_mapping.csv"}


class MMRecFormat:
    """``NAME.inter`` with numbers for ids, ``image_feat.npy`` and ``text_feat.npy`` by them.

    Row i of the features is item i's. Where ``x_label`` says the split, that is the one to take.
    Where ``u_id_mapping.csv`` and ``i_id_mapping.csv`` name the original ids, these are kept.
    """

    looks_like = "NAME.inter with userID and itemID, image_feat.npy, text_feat.npy"

    def recognises(self, folder: Path) -> bool:
        """Tells whether the one ``.inter`` file has the toolbox's names for its columns."""
        try:
            table = _open(find_interactions(folder))
        except (ValueError, OSError):
            return False
        return {USER, ITEM} <= set(table.columns)

    def sources(self, folder: Path) -> Sources:
        """Opens interactions, features and ids."""
        table = _open(find_interactions(folder))
        check_columns(table, [USER, ITEM])
        names = {
            column: _read_mapping(folder / file, column)
            for column, file in MAPPINGS.items()
            if (folder / file).exists()
        }
        features = find_features(folder)
        return Sources(
            RenamedTable(table, names) if names else table,
            features=features,
            ids={m: _ids(path, names.get(ITEM)) for m, path in features.items()},
            split="given" if LABEL in table.columns else None,
        )


def _open(path: Path) -> Table:
    return open_table(path, delimiter="\t", quoted=False)


def _read_mapping(path: Path, column: str) -> dict[str, str]:
    """The original id of each number, which stands in the column that the interactions have."""
    table = open_table(path)
    check_columns(table, [column])
    if len(table.columns) != 2:
        raise ValueError(f"'{path}' must have two columns, ids and numbers (got {table.columns})")
    (other,) = (name for name in table.columns if name != column)
    numbers, ids = read_columns(table, [column, other])
    return names_by_number(path, numbers, ids)


def _ids(path: Path, names: dict[str, str] | None) -> list[str]:
    numbers = map(str, range(len(open_npy(path))))
    if names is None:
        return list(numbers)
    return [names.get(number, f"row {number}") for number in numbers]

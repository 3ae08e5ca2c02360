"""Writing the folder that :class:`~crane_pyg.datasets.MultimodalDataset` reads."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crane_pyg.datasets.columns import INTERACTION_COLUMNS, ITEM, LABEL, ORIGINAL_ID, USER
from crane_pyg.datasets.folder import METADATA, WRITER, whole_folder
from crane_pyg.datasets.npy import features_path, write_features


def write_dataset(
    out: Path,
    name: str,
    interactions: pd.DataFrame,
    *,
    users: Sequence[str],
    items: Sequence[str],
    features: Mapping[str, np.ndarray | Iterable[np.ndarray]] | None = None,
    about_items: Mapping[str, Sequence[str]] | None = None,
    metadata: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Writes a folder that :class:`~crane_pyg.datasets.MultimodalDataset` reads.

    The folder gets ``<name>.inter``, ``<modality>_feat.npy``, ``users.csv`` and ``items.csv``
    (number and original id) and ``dataset.json``; all of them or none, see
    :func:`~crane_pyg.datasets.folder.whole_folder`.

    Args:
        out (Path): The folder.
        name (str): The name of the data set.
        interactions (pandas.DataFrame): ``userID``, ``itemID``, ``x_label`` and, where known,
            ``rating`` and ``timestamp``; ids are numbers from 0.
        users (sequence of str): The original id of each user number.
        items (sequence of str): The original id of each item number.
        features (dict, optional): For each modality, a matrix with a row per item, or blocks of its
            rows in order, which are never all in memory. (default: :obj:`None`)
        about_items (dict, optional): More columns of ``items.csv``, such as ``title`` and
            ``image``, a text per item. (default: :obj:`None`)
        metadata (dict, optional): Entries to add to ``dataset.json``. (default: :obj:`None`)
        overwrite (bool, optional): Whether a data set that is there may be replaced.
            (default: :obj:`False`)

    Raises:
        ValueError: if :obj:`out` must not be replaced, or features and ids do not agree.
    """
    with whole_folder(out, overwrite=overwrite) as folder:
        fill_folder(
            folder,
            name,
            interactions,
            users=users,
            items=items,
            features=features,
            about_items=about_items,
            metadata=metadata,
        )


def fill_folder(
    folder: Path,
    name: str,
    interactions: pd.DataFrame,
    *,
    users: Sequence[str],
    items: Sequence[str],
    features: Mapping[str, np.ndarray | Iterable[np.ndarray]] | None = None,
    about_items: Mapping[str, Sequence[str]] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Writes the files of a data set into a folder, without the guarantees of a whole one.

    Feature files that lie there already become part of the data set.

    Args:
        folder (Path): A folder handed out by :func:`~crane_pyg.datasets.folder.whole_folder`.
        name (str): See :func:`write_dataset`, like all that follow.
        interactions (pandas.DataFrame): See there.
        users (sequence of str): See there.
        items (sequence of str): See there.
        features (dict, optional): See there. (default: :obj:`None`)
        about_items (dict, optional): See there. (default: :obj:`None`)
        metadata (dict, optional): See there. (default: :obj:`None`)

    Raises:
        ValueError: if features, ids and interactions do not agree.
    """
    _check_table(interactions, len(users), len(items))
    columns = [column for column in INTERACTION_COLUMNS if column in interactions]
    interactions.to_csv(
        folder / f"{name}.inter", sep="\t", columns=columns, index=False, lineterminator="\n"
    )
    more = about_items or {}
    for kind, ids, column, others in (("users", users, USER, {}), ("items", items, ITEM, more)):
        table = pd.DataFrame({column: np.arange(len(ids)), ORIGINAL_ID: ids, **others})
        # Every id in quotes: a carriage return in one is else not.
        table.to_csv(
            folder / f"{kind}.csv",
            index=False,
            lineterminator="\n",
            quoting=csv.QUOTE_NONNUMERIC,
        )
    for modality, rows in (features or {}).items():
        blocks = [rows] if isinstance(rows, np.ndarray) else rows
        write_features(features_path(folder, modality), len(items), blocks)
    counts = {
        "users": len(users),
        "items": len(items),
        "interactions": len(interactions),
        "labels": np.bincount(interactions[LABEL].to_numpy(), minlength=3).tolist(),
    }
    files = sorted([METADATA, *(path.name for path in folder.iterdir())])
    about = {"written_by": WRITER, "version": version("crane-pyg"), "name": name, "files": files}
    counts_and_sizes = {"counts": counts, "bytes": file_sizes(folder)}
    text = json.dumps({**about, **counts_and_sizes, **(metadata or {})}, indent=2)
    (folder / METADATA).write_text(text + "\n", encoding="utf-8")


def file_sizes(folder: Path) -> dict[str, int]:
    """Returns the bytes of each file of a data set, but for its ``dataset.json``."""
    paths = sorted(path for path in folder.iterdir() if path.name != METADATA)
    return {path.name: path.stat().st_size for path in paths}


def _check_table(interactions: pd.DataFrame, num_users: int, num_items: int) -> None:
    for column, size in ((USER, num_users), (ITEM, num_items), (LABEL, 3)):
        if column not in interactions:
            raise ValueError(f"The interactions need a column '{column}' (got {[*interactions]})")
        values = interactions[column].to_numpy()
        if values.dtype.kind not in "iu":
            raise ValueError(f"Column '{column}' must hold integers (got {values.dtype})")
        if len(values) and (values.min() < 0 or values.max() >= size):
            raise ValueError(
                f"Column '{column}' must lie between 0 and {size - 1} "
                f"(got {values.min()} to {values.max()})"
            )

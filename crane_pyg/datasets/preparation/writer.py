"""What a data set's folder holds, as :class:`~crane_pyg.datasets.MultimodalDataset` reads it."""

import csv
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from crane_pyg.datasets._reader import FEATURE_SUFFIX, ITEM, LABEL, TIMESTAMP, USER
from crane_pyg.datasets.ids import ORIGINAL
from crane_pyg.datasets.preparation.folder import METADATA, WRITER, whole_folder

RATING = "rating"
COLUMNS = (USER, ITEM, LABEL, RATING, TIMESTAMP)

_BLOCK = 4096


def write_dataset(
    out: Path,
    name: str,
    interactions: pd.DataFrame,
    *,
    users: Sequence[str],
    items: Sequence[str],
    features: Mapping[str, np.ndarray | Iterable[np.ndarray]] | None = None,
    metadata: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Writes what :class:`~crane_pyg.datasets.MultimodalDataset` reads, and where it came from.

    The folder gets ``<name>.inter``, ``<modality>_feat.npy``, ``users.csv`` and ``items.csv``
    (number and original id) and ``dataset.json``; all of them or none, see :func:`whole_folder`.

    Args:
        out (Path): The folder.
        name (str): Of the data set.
        interactions (pandas.DataFrame): ``userID``, ``itemID``, ``x_label`` and, where known,
            ``rating`` and ``timestamp``; ids are numbers from 0.
        users (sequence of str): The original id of each user number.
        items (sequence of str): The original id of each item number.
        features (dict, optional): By modality a matrix with a row per item, or blocks of its rows
            in order, which are never all in memory. (default: :obj:`None`)
        metadata (dict, optional): Goes into ``dataset.json`` as it is. (default: :obj:`None`)
        overwrite (bool, optional): See :func:`whole_folder`. (default: :obj:`False`)

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
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Does what :func:`write_dataset` says, in a folder from :func:`whole_folder`.

    Feature files that lie there already (:func:`open_features`) become part of the data set.
    """
    _check_table(interactions, len(users), len(items))
    columns = [column for column in COLUMNS if column in interactions]
    interactions.to_csv(
        folder / f"{name}.inter", sep="\t", columns=columns, index=False, lineterminator="\n"
    )
    for kind, ids, column in (("users", users, USER), ("items", items, ITEM)):
        table = pd.DataFrame({column: np.arange(len(ids)), ORIGINAL: ids})
        # Every id in quotes: a carriage return in one is else not.
        table.to_csv(
            folder / f"{kind}.csv",
            index=False,
            lineterminator="\n",
            quoting=csv.QUOTE_NONNUMERIC,
        )
    for modality, rows in (features or {}).items():
        blocks = [rows] if isinstance(rows, np.ndarray) else rows
        _write_features(folder, modality, len(items), blocks)
    counts = {
        "users": len(users),
        "items": len(items),
        "interactions": len(interactions),
        "labels": np.bincount(interactions[LABEL].to_numpy(), minlength=3).tolist(),
    }
    files = sorted([METADATA, *(path.name for path in folder.iterdir())])
    about = {"written_by": WRITER, "version": version("crane-pyg"), "name": name, "files": files}
    text = json.dumps({**about, "counts": counts, **(metadata or {})}, indent=2)
    (folder / METADATA).write_text(text + "\n", encoding="utf-8")


def check_modality(name: str) -> None:
    """Raises a :class:`ValueError` if features of this name would be no attribute of a graph."""
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or re.match("x(_|$)", name):
        raise ValueError(
            f"Features cannot be called {name!r}: letters, digits and '_', not 'x' and not 'x_...'"
        )


def open_features(folder: Path, modality: str, shape: tuple[int, int]) -> np.memmap:
    """Makes a modality's file, zero everywhere, to be filled through memory in any order.

    Its place on the disk is taken now: a full disk raises here, and does not kill the process
    later.

    Shapes:
        - **output:** :math:`(N, d)` in :obj:`float32`
    """
    check_modality(modality)
    path = folder / f"{modality}{FEATURE_SUFFIX}"
    header = {"descr": "<f4", "fortran_order": False, "shape": tuple(map(int, shape))}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        start, size = file.tell(), 4 * shape[0] * shape[1]
        file.flush()
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), start, size)
        else:
            for left in range(size, 0, -(1 << 20)):
                file.write(bytes(min(left, 1 << 20)))
    return np.memmap(path, np.dtype("<f4"), "r+", start, shape)


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


def _write_features(
    folder: Path, modality: str, num_items: int, blocks: Iterable[np.ndarray]
) -> None:
    check_modality(modality)
    done, width = 0, None
    with (folder / f"{modality}{FEATURE_SUFFIX}").open("wb") as file:
        for block in blocks:
            if block.ndim != 2 or (width is not None and block.shape[1] != width):
                raise ValueError(
                    f"Features '{modality}' must be rows of one width (got {block.shape} after "
                    f"width {width})"
                )
            if width is None:
                width = block.shape[1]
                header = {"descr": "<f4", "fortran_order": False, "shape": (num_items, width)}
                np.lib.format.write_array_header_1_0(file, header)
            for start in range(0, len(block), _BLOCK):
                rows = np.ascontiguousarray(block[start : start + _BLOCK], dtype="<f4")
                if not np.isfinite(rows).all():
                    raise ValueError(f"Features '{modality}' must be finite (got NaN or infinity)")
                file.write(rows.data)
            done += len(block)
    if done != num_items:
        raise ValueError(f"Features '{modality}' need {num_items} rows, one per item (got {done})")

"""The two file formats of a multimodal data set, read strictly."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

USER, ITEM, LABEL, TIMESTAMP = "userID", "itemID", "x_label", "timestamp"
MAX_ID = 2**31 - 1
FEATURE_SUFFIX = "_feat.npy"

_BOUNDS = {USER: MAX_ID, ITEM: MAX_ID, LABEL: 2, TIMESTAMP: 2**53}
_INTEGER = r"\s*[+-]?\d{1,18}\s*"
_BLOCK = 4096


def find_interactions(folder: str | Path, name: str | None = None) -> Path:
    """Returns the path of ``<name>.inter``, or of the only ``.inter`` file in :obj:`folder`."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"The data folder does not exist (got '{folder}')")
    if name is not None:
        path = folder / f"{name}.inter"
        if not path.is_file():
            raise ValueError(f"There is no file '{path.name}' in '{folder}' (got name={name!r})")
        return path
    found = [path for path in sorted(folder.glob("*.inter")) if not path.name.startswith(".")]
    if len(found) != 1:
        names = [path.name for path in found]
        raise ValueError(f"'{folder}' must hold one '.inter' file, or pass `name` (got {names})")
    return found[0]


def read_interactions(
    path: str | Path, *, column: str | None = LABEL
) -> tuple[Tensor, Tensor | None]:
    """Reads a tab-separated table of interactions, one row each, in file order.

    Args:
        path (str or Path): A text file whose header names at least the columns ``userID``,
            ``itemID`` and :obj:`column`. Other columns are not looked at.
        column (str, optional): ``'x_label'``: 0 train, 1 validation, 2 test; ``'timestamp'``; or
            :obj:`None`. (default: :obj:`'x_label'`)

    Shapes:
        - **output:** pairs :math:`(2, E)` of users and items, and their :obj:`column` :math:`(E)`
          or :obj:`None`, all :obj:`int64`

    Raises:
        ValueError: naming the file, the column, the line (counted from 1) and the value, if a
            column is missing, the file has no rows, an id is not an integer from 0 to
            :math:`2^{31} - 1`, a label is not 0, 1 or 2, or a timestamp is not an integer from 0 to
            :math:`2^{53}`.
    """
    path = Path(path)
    columns = [USER, ITEM] if column is None else [USER, ITEM, column]
    _check_header(path, columns)
    table = _read_columns(path, columns)
    if table.empty:
        raise ValueError(f"'{path}' has a header but no interactions (got 0 rows)")
    if any(dtype != np.int64 for dtype in table.dtypes):
        _raise_unparsable(path, _read_columns(path, columns, dtype=str))
    for name in columns:
        values = table[name].to_numpy()
        bad = (values < 0) | (values > _BOUNDS[name])
        if bad.any():
            row = int(bad.argmax())
            raise _cell_error(path, name, row, str(values[row]))
    cells = torch.from_numpy(table[columns].to_numpy(dtype=np.int64).T.copy())
    return cells[:2], None if column is None else cells[2]


def check_items(path: Path, item: Tensor, feature_path: Path, num_rows: int) -> None:
    """Raises a :class:`ValueError` if an interaction in :obj:`path` has no feature row."""
    beyond = (item >= num_rows).nonzero()
    if beyond.numel() > 0:
        row = int(beyond[0])
        raise ValueError(
            f"'{path}', line {row + 2}, column '{ITEM}': must be below {num_rows}, the number of "
            f"rows of '{feature_path}' (got {int(item[row])})"
        )


def find_features(folder: str | Path) -> dict[str, Path]:
    """Returns the path of every ``<modality>_feat.npy`` in :obj:`folder`, by modality."""
    paths = sorted(Path(folder).glob(f"?*{FEATURE_SUFFIX}"))
    visible = [path for path in paths if not path.name.startswith(".")]
    return {path.name.removesuffix(FEATURE_SUFFIX): path for path in visible}


def read_features(path: str | Path) -> tuple[Tensor, Tensor]:
    """Reads one modality's features, row = item, and which items have it.

    An item whose row is exactly zero everywhere is taken to lack the modality.

    Args:
        path (str or Path): An ``.npy`` file holding a matrix of real numbers.

    Shapes:
        - **output:** features :math:`(N, d)` in :obj:`float32` and mask :math:`(N)`,
          :obj:`True` where the item has this modality

    Raises:
        ValueError: naming the file, if it is no ``.npy`` file, holds pickled objects, is not a
            numeric matrix, is empty, or has a value that is NaN or infinite in single precision
            (naming its row and column, both counted from 0).
    """
    path = Path(path)
    stored = open_features(path)
    if stored.dtype == np.float32 and stored.flags.c_contiguous:
        features = np.load(path, allow_pickle=False)  # once: mapped pages count as memory too
    else:
        with np.errstate(over="ignore"):
            features = np.array(stored, dtype=np.float32, order="C")
    _check_finite(path, features, stored)
    return torch.from_numpy(features), torch.from_numpy(features.any(axis=1))


def open_features(path: Path) -> np.ndarray:
    """Maps a matrix of real numbers from its file; raises as :func:`read_features` if it is none.

    Its values are not looked at.
    """
    stored = open_npy(path)
    if stored.dtype.kind not in "fiu":
        raise ValueError(f"'{path}' must hold real numbers (got dtype {stored.dtype})")
    if stored.ndim != 2 or 0 in stored.shape:
        raise ValueError(f"'{path}' must be a matrix with a row per item (got {stored.shape})")
    return stored


def open_npy(path: Path) -> np.ndarray:
    """Maps an array from its file; a :class:`ValueError` names a file that holds none."""
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"'{path}' must be an '.npy' file of numbers (got: {error})") from error
    if not isinstance(stored, np.ndarray):
        stored.close()
        raise ValueError(f"'{path}' must be an '.npy' file (got an archive of arrays)")
    return stored


def _check_header(path: Path, columns: list[str]) -> None:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline().rstrip("\n").split("\t")
    if header == [""]:
        raise ValueError(f"'{path}' is empty: its first line must name {columns}")
    for column in columns:
        if header.count(column) != 1:
            raise ValueError(f"'{path}', line 1: needs one column '{column}' (got {header})")


def _read_columns(path: Path, columns: list[str], dtype: type | None = None) -> pd.DataFrame:
    try:
        return pd.read_csv(
            path,
            sep="\t",
            usecols=columns,
            dtype=dtype,
            index_col=False,
            na_filter=False,
            skip_blank_lines=False,
            low_memory=False,
            quoting=csv.QUOTE_NONE,
            encoding="utf-8-sig",
            encoding_errors="replace",
        )
    except pd.errors.ParserError as error:
        raise ValueError(f"'{path}' must be a tab-separated table (got: {error})") from error


def _raise_unparsable(path: Path, text: pd.DataFrame) -> None:
    bad = ~np.stack([text[column].str.fullmatch(_INTEGER) for column in text], axis=1).astype(bool)
    row, column = divmod(int(bad.argmax()), bad.shape[1])
    assert bad[row, column]
    raise _cell_error(path, str(text.columns[column]), row, repr(text.iat[row, column]))


def _cell_error(path: Path, column: str, row: int, value: str) -> ValueError:
    where = f"'{path}', line {row + 2}, column '{column}'"
    return ValueError(f"{where}: must be an integer from 0 to {_BOUNDS[column]} (got {value})")


def _check_finite(path: Path, features: np.ndarray, stored: np.ndarray) -> None:
    for start in range(0, len(features), _BLOCK):
        finite = np.isfinite(features[start : start + _BLOCK])
        if not finite.all():
            row, column = divmod(int(finite.argmin()), features.shape[1])
            row += start
            value = stored[row, column]
            raise ValueError(f"'{path}', row {row}, column {column}: must be finite (got {value})")

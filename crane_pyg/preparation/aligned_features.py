"""Features that were computed elsewhere, aligned with the items by their ids."""

import pickle
import warnings
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch

from crane_pyg.datasets.columns import Role
from crane_pyg.datasets.npy import check_finite, check_matrix, open_npy
from crane_pyg.datasets.tables import open_table, read_columns
from crane_pyg.limits import check_unpacked, cut, existing_file, read_short_text
from crane_pyg.preparation.column_choice import choose_column

_BLOCK = 4096
_UNREADABLE = (
    *(ValueError, EOFError, OSError, AttributeError, TypeError, OverflowError, MemoryError),
    *(BadZipFile, NotImplementedError, zlib.error),
)
_OF_NUMPY = {
    *(torch.float64, torch.float32, torch.float16, torch.complex64, torch.complex128, torch.bool),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8),
}


class Aligned(NamedTuple):
    """The rows of a file, and the one of each item.

    Args:
        stored (numpy.ndarray): The file's rows, perhaps still on the disk.
        row (numpy.ndarray): The row of each item, -1 where the file has none.
        num_unknown (int): Rows of the file for which there is no item.
    """

    stored: np.ndarray
    row: np.ndarray
    num_unknown: int

    def blocks(self) -> Iterator[np.ndarray]:
        """Yields the items' rows in order, zeros where there are none."""
        for start in range(0, len(self.row), _BLOCK):
            row = self.row[start : start + _BLOCK]
            block = np.zeros((len(row), self.stored.shape[1]), dtype=np.float32)
            block[row >= 0] = self.stored[row[row >= 0]]
            yield block


def align_features(
    path: Path,
    items: Sequence[str],
    *,
    ids: Path | Sequence[str] | None = None,
    order: Sequence[str] | None = None,
) -> Aligned:
    """Reads features and finds the row of each item.

    Whose row is whose is said by the file itself (``ids`` in an ``.npz`` or in the dictionary of
    a ``.pt``, an id column in a parquet file), by :obj:`ids`, or by :obj:`order`.

    Args:
        path (Path): An ``.npy``; an ``.npz`` with ``ids`` and ``features``; a ``.pt`` with a
            tensor, or a dictionary of the same two names; or a parquet file with an id column
            and either one column of lists or a column of numbers per dimension.
        items (sequence of str): The ids to find rows for.
        ids (Path or sequence of str, optional): A text file with an id per line, an ``.npy`` of
            ids, or the ids themselves. (default: :obj:`None`)
        order (sequence of str, optional): The ids in the order of the table of items, for a file
            that has as many rows and no ids. (default: :obj:`None`)

    Raises:
        ValueError: naming the file, if it is none of these or holds code, if its rows are no
            finite numbers, or as many as its ids; if an id comes twice; or if no item is known.
    """
    stored, names = _LOADERS.get(path.suffix, _refuse)(existing_file(path))
    if names is not None and ids is not None:
        got = f"'{ids}'" if isinstance(ids, Path) else f"{len(ids):,} others"
        raise ValueError(f"'{path}' has ids of its own (got {got} as well)")
    source = f"'{path}'"
    if isinstance(ids, Path):
        names, source = _read_ids(existing_file(ids)), f"'{ids}'"
    elif ids is not None:
        names, source = list(ids), "the interactions' folder"
    if names is None:
        if order is None:
            raise ValueError(
                f"'{path}' does not say whose its rows are: give their ids, or a table of items "
                f"in the same order (got neither)"
            )
        names, source = list(order), "the table of items"
    check_matrix(path, stored)
    check_finite(path, stored)
    if len(stored) != len(names):
        raise ValueError(
            f"'{path}' must have a row for each of the {len(names):,} ids of {source} "
            f"(got {len(stored):,})"
        )
    place = {name: row for row, name in enumerate(names)}
    if len(place) < len(names):
        first = next(row for row, name in enumerate(names) if place[name] != row)
        raise ValueError(
            f"{source} must name each item once (got {names[first]!r} for rows {first} and "
            f"{place[names[first]]})"
        )
    row = np.array([place.get(item, -1) for item in items], dtype=np.int64)
    if (row < 0).all():
        raise ValueError(
            f"{source} must name items of the interactions (got none of them, but for example "
            f"{names[0]!r} where the interactions have {items[0]!r})"
        )
    return Aligned(stored, row, len(names) - int((row >= 0).sum()))


def _refuse(path: Path) -> tuple[np.ndarray, list[str] | None]:
    raise ValueError(f"'{path}' must end in one of {', '.join(_LOADERS)} (got '{path.suffix}')")


def _load_npy(path: Path) -> tuple[np.ndarray, list[str] | None]:
    return open_npy(path), None


def _load_npz(path: Path) -> tuple[np.ndarray, list[str] | None]:
    _check_archive(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            found = {name: archive[name] for name in ("ids", "features") if name in archive}
    except _UNREADABLE as error:
        raise ValueError(
            f"'{path}' must be an '.npz' file of numbers (got: {cut(str(error))})"
        ) from error
    return _pair(path, found)


def _load_pt(path: Path) -> tuple[np.ndarray, list[str] | None]:
    _check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a pickle's protocol, where an error follows
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (*_UNREADABLE, pickle.UnpicklingError, RuntimeError, LookupError) as error:
        reason = cut(str(error).partition("\n")[0] or type(error).__name__)
        raise ValueError(f"'{path}' must hold tensors and no code (got: {reason})") from error
    if isinstance(found, torch.Tensor):
        return _of_tensor(path, found), None
    if not isinstance(found, dict):
        raise ValueError(f"'{path}' must hold a tensor or a dictionary (got {type(found)})")
    return _pair(path, {str(name): _plain(path, name, value) for name, value in found.items()})


def _plain(path: Path, name: str, value: Any) -> np.ndarray:
    """What a ``.pt`` file holds under a name: a tensor, or a list of ids."""
    if isinstance(value, torch.Tensor):
        return _of_tensor(path, value)
    if isinstance(value, list | tuple) and all(isinstance(x, str | int) for x in value):
        return np.array(value, dtype=object)
    if name in ("ids", "features"):
        raise ValueError(f"'{path}' must hold a tensor of {name} (got {type(value).__name__})")
    return np.empty(0)


def _of_tensor(path: Path, x: torch.Tensor) -> np.ndarray:
    try:
        check_unpacked(path, x.numel() * x.element_size())
        x = x.detach().resolve_conj().resolve_neg()
        return (x if x.dtype in _OF_NUMPY else x.float()).numpy()
    except (TypeError, RuntimeError, NotImplementedError) as error:
        kind = f"{x.dtype}, {x.layout}, on {x.device}"
        raise ValueError(f"'{path}' must hold dense tensors of numbers (got {kind})") from error


def _check_archive(path: Path) -> None:
    """Refuses a zip archive that unpacks to far more than it is; other files pass."""
    try:
        with ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (BadZipFile, ValueError, OSError, EOFError, NotImplementedError):
        return
    check_unpacked(path, unpacked)


def _load_parquet(path: Path) -> tuple[np.ndarray, list[str] | None]:
    table = open_table(path)
    item = choose_column(table, Role.ITEM, None, needed=True, option="a column 'item_id'")
    assert item is not None
    import pyarrow as pa
    from pyarrow.parquet import read_table

    (names,) = read_columns(table, [item])
    columns = read_table(path).drop_columns([item])
    if columns.num_columns == 1 and not pa.types.is_primitive(columns.column(0).type):
        rows = columns.column(0).to_pylist()
    else:
        rows = list(zip(*(column.to_numpy() for column in columns.columns)))
    try:
        return np.array(rows), names
    except ValueError as error:  # rows of several lengths
        raise ValueError(f"'{path}' must have rows of one length (got: {error})") from error


def _pair(path: Path, found: dict[str, np.ndarray]) -> tuple[np.ndarray, list[str]]:
    if not {"ids", "features"} <= found.keys():
        raise ValueError(f"'{path}' must hold 'ids' and 'features' (got {sorted(map(str, found))})")
    return found["features"], _names(found["ids"])


def _read_ids(path: Path) -> list[str]:
    if path.suffix == ".npy":
        return _names(open_npy(path))
    return read_short_text(path).removesuffix("\n").split("\n")


def _names(ids: np.ndarray) -> list[str]:
    return [str(name) for name in ids.reshape(-1).tolist()]


_LOADERS = {
    ".npy": _load_npy,
    ".npz": _load_npz,
    ".pt": _load_pt,
    ".parquet": _load_parquet,
}

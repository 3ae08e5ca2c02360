"""Matrices of features in ``.npy`` files: reading, checking, writing, and who lacks them."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from crane_pyg.limits import cut, existing_file

FEATURE_SUFFIX = "_feat.npy"

MAPPED_FROM = 1 << 30  # bytes of a file that stays on the disk

_BLOCK = 4096
_STORED = np.dtype("<f4")
_MAPPED = (np.dtype("<f4"), np.dtype("<f2"))


def find_features(folder: str | Path) -> dict[str, Path]:
    """Returns the path of every ``<modality>_feat.npy`` in :obj:`folder`, by modality."""
    paths = sorted(Path(folder).glob(f"?*{FEATURE_SUFFIX}"))
    visible = [path for path in paths if not path.name.startswith(".")]
    return {path.name.removesuffix(FEATURE_SUFFIX): path for path in visible}


def features_path(folder: Path, modality: str) -> Path:
    """Returns where a folder keeps the features of a modality.

    Raises:
        ValueError: if features must not be called so, see :func:`check_modality`.
    """
    check_modality(modality)
    return folder / f"{modality}{FEATURE_SUFFIX}"


def check_modality(name: str, path: Path | None = None) -> None:
    """Refuses features whose name a file cannot have, or a graph could not tell from another's.

    A graph has the features of ``m`` under ``x_m`` and their mask under ``m_mask``; were ``x_m`` a
    modality too, its mask would stand where the features of ``m_mask`` do.

    Args:
        name (str): The name of the modality.
        path (Path, optional): The file that is called so, for the message. (default: :obj:`None`)

    Raises:
        ValueError: if the name is empty, begins with a dot, holds a slash or what cannot be
            printed, or is ``x`` or begins with ``x_``.
    """
    is_file = name.isprintable() and not re.search(r"^$|^\.|[/\\]", name)
    if not is_file or re.match("x(_|$)", name):
        where = "" if path is None else f"'{path}': "
        raise ValueError(
            f"{where}Features must be called by printable characters without a slash, no dot in "
            f"front, and not 'x' or 'x_...' (got {name!r})"
        )


def items_with(features: np.ndarray) -> np.ndarray:
    """Returns which items have a modality: those whose row is not zero everywhere.

    Shapes:
        - **features:** :math:`(N, d)`, **output:** :math:`(N)` in :obj:`bool`
    """
    return np.any(features, axis=1)


def read_features(path: str | Path) -> tuple[Tensor, Tensor]:
    """Reads one modality's features, row = item, and which items have it.

    A file of 1 GB or more in single or half precision stays where it is and is mapped to memory:
    what is read of it the system may drop again. In half precision it stays half.

    Args:
        path (str or Path): An ``.npy`` file holding a matrix of real numbers.

    Shapes:
        - **output:** features :math:`(N, d)` in :obj:`float32`, or mapped in :obj:`float16`, and
          mask :math:`(N)`, :obj:`True` where the item has this modality

    Raises:
        ValueError: naming the file, if it is no ``.npy`` file, holds pickled objects, is not a
            numeric matrix, is empty, or has a value that is NaN or infinite in single precision
            (naming its row and column, both counted from 0).
    """
    path = Path(path)
    stored = open_features(path)
    if stored.nbytes >= MAPPED_FROM and stored.dtype in _MAPPED and stored.flags.c_contiguous:
        features = np.load(path, mmap_mode="c", allow_pickle=False)  # writable, to nobody's harm
    elif stored.dtype == np.float32 and stored.flags.c_contiguous:
        features = np.load(path, allow_pickle=False)  # once: mapped pages count as memory too
    else:
        with np.errstate(over="ignore"):
            features = np.array(stored, dtype=np.float32, order="C")
    check_finite(path, features, stored)
    blocks = (features[start : start + _BLOCK] for start in range(0, len(features), _BLOCK))
    mask = np.concatenate([items_with(block) for block in blocks])
    return torch.from_numpy(features), torch.from_numpy(mask)


def open_features(path: Path) -> np.ndarray:
    """Maps a matrix of real numbers from its file, and does not look at its values.

    Raises:
        ValueError: naming the file, if it holds none.
    """
    stored = open_npy(path)
    check_matrix(path, stored)
    return stored


def open_npy(path: Path) -> np.ndarray:
    """Maps an array from its file; a :class:`ValueError` names a file that holds none."""
    existing_file(path)
    try:
        with np.errstate(over="ignore"):  # of a shape that no file has, which is refused
            stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, TypeError, OverflowError, MemoryError) as error:
        raise ValueError(
            f"'{path}' must be an '.npy' file of numbers (got: {cut(str(error))})"
        ) from error
    if not isinstance(stored, np.ndarray):
        stored.close()
        raise ValueError(f"'{path}' must be an '.npy' file (got an archive of arrays)")
    return stored


def check_matrix(path: Path, stored: np.ndarray) -> None:
    """Raises a :class:`ValueError` if an array is no matrix of real numbers, or is empty."""
    if stored.dtype.kind not in "fiu":
        raise ValueError(f"'{path}' must hold real numbers (got dtype {stored.dtype})")
    if stored.ndim != 2 or 0 in stored.shape:
        raise ValueError(f"'{path}' must be a matrix with a row per item (got {stored.shape})")


def check_finite(path: Path, features: np.ndarray, stored: np.ndarray | None = None) -> None:
    """Raises a :class:`ValueError` at the first value that is not finite in single precision.

    Args:
        path (Path): The file, for the message.
        features (numpy.ndarray): A matrix.
        stored (numpy.ndarray, optional): The same as it is in the file, to show a value as it
            stands there; :obj:`features` if :obj:`None`. (default: :obj:`None`)
    """
    stored = features if stored is None else stored
    for start in range(0, len(features), _BLOCK):
        with np.errstate(over="ignore"):
            block = features[start : start + _BLOCK].astype(np.float32, copy=False)
        finite = np.isfinite(block)
        if not finite.all():
            row, column = divmod(int(finite.argmin()), features.shape[1])
            row += start
            value = stored[row, column]
            raise ValueError(f"'{path}', row {row}, column {column}: must be finite (got {value})")


def create_features(path: Path, shape: tuple[int, int]) -> np.memmap:
    """Makes a file of zeros, to be filled through memory in any order.

    Its place on the disk is taken now: a full disk raises here, and does not kill the process
    later.

    Shapes:
        - **output:** :math:`(N, d)` in :obj:`float32`
    """
    return np.memmap(path, _STORED, "r+", _allocate(path, shape), shape)


def write_features(path: Path, num_rows: int, blocks: Iterable[np.ndarray]) -> None:
    """Writes blocks of rows, in their order; they are never all in memory.

    Raises:
        ValueError: naming the file, if the blocks are not of one width, have not as many rows, or
            hold NaN or infinity.
    """
    done, width = 0, None
    file = None
    try:
        for block in blocks:
            if block.ndim != 2 or (width is not None and block.shape[1] != width):
                raise ValueError(
                    f"'{path.name}' must get rows of one width (got {block.shape} after width "
                    f"{width})"
                )
            if file is None:
                width = block.shape[1]
                start = _allocate(path, (num_rows, width))
                file = path.open("r+b")
                file.seek(start)
            for first in range(0, len(block), _BLOCK):
                rows = np.ascontiguousarray(block[first : first + _BLOCK], dtype=_STORED)
                if not np.isfinite(rows).all():
                    raise ValueError(f"'{path.name}' must get finite rows (got NaN or infinity)")
                file.write(rows.data)
            done += len(block)
    finally:
        if file is not None:
            file.close()
    if done != num_rows:
        raise ValueError(f"'{path.name}' needs {num_rows} rows, one per item (got {done})")


def _allocate(path: Path, shape: tuple[int, int]) -> int:
    """Writes the header and the zeros of a matrix, and returns where its numbers begin."""
    num_rows, width = map(int, shape)
    header = {"descr": _STORED.str, "fortran_order": False, "shape": (num_rows, width)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        start, size = file.tell(), _STORED.itemsize * num_rows * width
        file.flush()
        if hasattr(os, "posix_fallocate") and size:
            os.posix_fallocate(file.fileno(), start, size)
        else:
            for left in range(size, 0, -(1 << 20)):
                file.write(bytes(min(left, 1 << 20)))
    return start

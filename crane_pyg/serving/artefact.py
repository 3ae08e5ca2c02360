"""A trained model as a folder that is served: arrays that are mapped, and a note of what they are.

Nothing in it is code: ``.npy`` without pickles, JSON and Markdown. Files of arrays carry their
checksum in their name, and the note, which is replaced last, says which of them count: a reader
meets the old artefact or the new one, also while it is written anew.
"""

import re
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crane_pyg.files import write_atomically, write_text
from crane_pyg.limits import shown
from crane_pyg.locks import hold
from crane_pyg.seals import DamagedFileError, read_record, write_record
from crane_pyg.serving.rows import Rows
from crane_pyg.serving.texts import Texts

FORMAT = 2
"""Raised with every change after which older versions cannot read an artefact."""
NOTE, CARD = "artefact.json", "README.md"

Array = NDArray[Any]

_FILE = re.compile(r"[a-z][a-z0-9_]*-[0-9a-f]{8}\.npy")
_CHUNK = 2**22
_LOCK = ".lock"


def as_arrays(
    texts: Mapping[str, Iterable[str]], rows: Mapping[str, Rows], **arrays: Array
) -> dict[str, Array]:
    """What an artefact holds, as the arrays that it is written as.

    Args:
        texts: lists of texts, by name.
        rows: sparse matrices, by name.
        **arrays: the others.
    """
    out = dict(arrays)
    for name, lines in texts.items():
        packed = Texts.of(lines)
        out |= {f"{name}_content": packed.content, f"{name}_start": packed.start}
    for name, matrix in rows.items():
        out |= {f"{name}_start": matrix.start, f"{name}_index": matrix.index}
        if matrix.value is not None:
            out[f"{name}_value"] = matrix.value
    return out


def write_artefact(
    folder: Path | str, about: Mapping[str, Any], arrays: Mapping[str, Array], card: str
) -> None:
    """Write an artefact, in the place of the one that lies there.

    Args:
        folder: new, empty, or an artefact.
        about: what JSON can hold: how the arrays become scores, and where they come from.
        arrays: by name, of small letters, digits and underscores.
        card: what people read, as Markdown.

    Raises:
        ValueError: if the folder holds something else, or another process writes to it.
    """
    folder = Path(folder)
    _check_place(folder)
    with hold(folder / _LOCK, folder):
        files = {name: _write_array(folder, name, array) for name, array in arrays.items()}
        write_text(folder / CARD, card)
        write_record(folder / NOTE, {"format": FORMAT, "about": dict(about), "arrays": files})
        kept = {file["file"] for file in files.values()}
        for path in folder.iterdir():
            if _FILE.fullmatch(path.name) and path.name not in kept:
                path.unlink(missing_ok=True)


def extend_artefact(
    folder: Path | str, opened: "Artefact", about: Mapping[str, Any], arrays: Mapping[str, Array]
) -> None:
    """Add something to an artefact; what it holds stays as it is.

    Args:
        folder: where it is.
        opened: what it holds now.
        about: what the note shall say beside what it says.
        arrays: by name.

    Raises:
        ValueError: if it was replaced since it was opened, or another process writes to it.
    """
    folder = Path(folder)
    with hold(folder / _LOCK, folder):
        record = read_record(folder / NOTE)
        if record["about"] != opened.about:
            raise ValueError(f"'{folder}' must be what was opened (got another since)")
        files = {name: _write_array(folder, name, array) for name, array in arrays.items()}
        told = {**opened.about, **about}
        whole = {**record["arrays"], **files}
        write_record(folder / NOTE, {"format": FORMAT, "about": told, "arrays": whole})


def _check_place(folder: Path) -> None:
    """An artefact, or what a killed export left of one, may be replaced; nothing else."""
    if not folder.exists() or (folder / NOTE).is_file():
        return
    there = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    ours = {name for name in there if _FILE.fullmatch(name)}
    if there - ours - ({CARD} if ours else set()):
        raise ValueError(f"'{folder}' must be new, empty or an artefact (got other files)")


def _write_array(folder: Path, name: str, array: Array) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    array = np.ascontiguousarray(array)
    # Named by what is in it: the same array is the same file, and no reader's file changes.
    file = f"{name}-{zlib.crc32(array.data.cast('B') if array.size else b''):08x}.npy"

    def save(aside: Path) -> None:
        with aside.open("wb") as stream:
            np.save(stream, array, allow_pickle=False)

    write_atomically(folder / file, save)
    return {"file": file, "dtype": array.dtype.str, "shape": list(array.shape)}


class Artefact:
    """An artefact that was opened: arrays by name, mapped from their files.

    Args:
        folder: the folder of :func:`write_artefact`.
        verify: read every array once and compare its checksum; without it, only types and sizes
            are compared.

    Raises:
        DamagedFileError: if a file is not what was written.
        ValueError: if it is no artefact, or one that this version cannot read.
    """

    def __init__(self, folder: Path | str, *, verify: bool = True) -> None:
        self.folder = Path(folder)
        note = self.folder / NOTE
        if not note.is_file():
            raise ValueError(f"'{folder}' must be the folder of an export (got no '{NOTE}' in it)")
        record = read_record(note)
        if record.get("format") != FORMAT:
            raise ValueError(
                f"'{note}' must be of format {FORMAT}, which this version reads "
                f"(got {shown(record.get('format'))})"
            )
        self.about: dict[str, Any] = record["about"]
        self.arrays = {
            name: _open_array(self.folder, entry, verify=verify)
            for name, entry in record["arrays"].items()
        }

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def array(self, name: str, *shape: int | None) -> Array:
        """An array that must be there.

        Args:
            name: its name.
            *shape: its shape, ``None`` where any size will do.

        Raises:
            ValueError: if it is missing, or of another shape.
        """
        if name not in self.arrays:
            raise ValueError(f"'{self.folder}' must hold the array '{name}' (got none)")
        array = self.arrays[name]
        fits = len(array.shape) == len(shape) and all(
            wanted in (None, size) for wanted, size in zip(shape, array.shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f"'{self.folder}', array '{name}': must have the shape {list(shape)} "
                f"(got {list(array.shape)})"
            )
        return array

    def texts(self, name: str, size: int | None = None) -> Texts:
        """Texts that must be there.

        Raises:
            ValueError: if they are missing, of another number, or overlap.
        """
        content = self.array(f"{name}_content", None)
        start = self.array(f"{name}_start", None if size is None else size + 1)
        self._check_start(name, start, len(content))
        return Texts(content, start)

    def rows(self, name: str, size: int, num_columns: int) -> Rows:
        """A sparse matrix that must be there.

        Raises:
            ValueError: if it is missing, of another size, or points beyond it.
        """
        start, index = self.array(f"{name}_start", size + 1), self.array(f"{name}_index", None)
        self._check_start(name, start, len(index))
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < num_columns:
            raise ValueError(
                f"'{self.folder}', array '{name}_index': must lie between 0 and {num_columns - 1} "
                f"(got {index.min()} to {index.max()})"
            )
        value = self.arrays.get(f"{name}_value")
        if value is not None and len(value) != len(index):
            raise ValueError(
                f"'{self.folder}', array '{name}_value': must be {len(index)} long (got "
                f"{len(value)})"
            )
        return Rows(start, index, value)

    def _check_start(self, name: str, start: Array, size: int) -> None:
        if not (start[0] == 0 and start[-1] == size and bool((np.diff(start) >= 0).all())):
            raise ValueError(
                f"'{self.folder}', array '{name}_start': must ascend from 0 to {size} "
                f"(got {start[0]} to {start[-1]})"
            )


def _open_array(folder: Path, entry: Mapping[str, Any], *, verify: bool) -> Array:
    name = str(entry.get("file"))
    if not _FILE.fullmatch(name):
        raise ValueError(f"'{folder / NOTE}' must name files of its own folder (got {shown(name)})")
    path = folder / name
    try:
        # As a plain array: each slice of a memmap is one more Python object that knows its file.
        array: Array = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except FileNotFoundError as error:
        raise DamagedFileError(path, "is missing") from error
    except (ValueError, EOFError, OSError) as error:
        raise DamagedFileError(path, "is damaged (it is no array)") from error
    if [array.dtype.str, list(array.shape)] != [entry.get("dtype"), entry.get("shape")]:
        raise DamagedFileError(path, "is damaged (its type or shape is another)")
    if verify and f"{_checksum(array):08x}" != name[-12:-4]:
        raise DamagedFileError(path, "is damaged (its checksum is wrong)")
    return array


def _checksum(array: Array) -> int:
    crc = 0
    if array.size:
        data = array.reshape(-1).view(np.uint8) if array.ndim else array.tobytes()
        for start in range(0, len(data), _CHUNK):
            crc = zlib.crc32(data[start : start + _CHUNK], crc)
    return crc

"""Files that carry a checksum, so that damage is found before what they say is believed.

A checksum finds every flipped bit, every burst of up to 32 bits and what was cut off; it is no
protection from somebody who means to deceive.
"""

import json
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from crane_pyg.files import write_atomically
from crane_pyg.limits import parse_json

BLANK = "crc32:00000000"
"""Stands in a content where :func:`write_sealed` puts the checksum."""

_FOREIGN = "is damaged, or not of this version (it lacks a checksum)"
_WRONG = "is damaged (its checksum is wrong)"

_SEAL = re.compile(rb"crc32:[0-9a-f]{8}")
_LENGTH = len(BLANK)
_CHUNK = 2**20


class DamagedFileError(ValueError):
    """A file is not what was written: bits have changed, or some of it is missing."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"'{path}' {reason}; remove it, and what it held is made anew")
        self.path = Path(path)


def write_sealed(path: Path | str, content: bytes) -> None:
    """Write a file atomically, with its checksum in the place of the first :data:`BLANK`.

    Args:
        path: the file.
        content: whole, with one :data:`BLANK` at least.
    """
    sealed = content.replace(BLANK.encode(), _seal(zlib.crc32(content)), 1)
    write_atomically(path, lambda aside: aside.write_bytes(sealed))


def read_sealed(path: Path | str) -> bytes:
    """The content of a file of :func:`write_sealed`.

    Args:
        path: the file.

    Raises:
        DamagedFileError: if the checksum is wrong.
    """
    content = Path(path).read_bytes()
    found = _SEAL.search(content)
    if found is None:
        raise DamagedFileError(path, _FOREIGN)
    if found[0] != _seal(zlib.crc32(content.replace(found[0], BLANK.encode(), 1))):
        raise DamagedFileError(path, _WRONG)
    return content


def write_record(path: Path | str, record: Mapping[str, Any]) -> None:
    """Write an object as JSON with its checksum, the entry ``checksum``.

    Args:
        path: the file.
        record: what JSON can hold.
    """
    text = json.dumps({"checksum": BLANK, **record}, indent=2)
    write_sealed(path, f"{text}\n".encode())


def read_record(path: Path | str) -> dict[str, Any]:
    """The object of :func:`write_record`.

    Args:
        path: the file.

    Raises:
        DamagedFileError: if the checksum is wrong.
        ValueError: if it is no JSON.
    """
    record = parse_json(read_sealed(path).decode(errors="replace"), f"'{path}'")
    if not isinstance(record, dict) or "checksum" not in record:
        raise DamagedFileError(path, _FOREIGN)
    return {name: value for name, value in record.items() if name != "checksum"}


def write_stream_sealed(path: Path | str, write: Callable[[BinaryIO], object]) -> None:
    """Write a file atomically and piece by piece, with its checksum as the last bytes.

    Args:
        path: the file.
        write: called with an open file.
    """

    def save(aside: Path) -> None:
        with aside.open("wb") as file:
            stream = _Summed(file)
            try:
                write(stream)  # type: ignore[arg-type]
            except RuntimeError as error:  # torch's, in the place of the disk's
                raise stream.error or error from error
            file.write(_seal(stream.crc))

    write_atomically(path, save)


def check_stream_seal(path: Path | str) -> None:
    """Read a file of :func:`write_stream_sealed` once.

    Args:
        path: the file.

    Raises:
        DamagedFileError: if the checksum is wrong.
    """
    left, crc = Path(path).stat().st_size - _LENGTH, 0
    with Path(path).open("rb") as file:
        while left > 0 and (chunk := file.read(min(left, _CHUNK))):
            crc, left = zlib.crc32(chunk, crc), left - len(chunk)
        seal = file.read()
    if left or not _SEAL.fullmatch(seal):
        raise DamagedFileError(path, _FOREIGN)
    if seal != _seal(crc):
        raise DamagedFileError(path, _WRONG)


class _Summed:
    """A file that adds up what is written to it, and remembers why it could not be."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.crc = file, 0
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        self.crc = zlib.crc32(data, self.crc)
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self.file.flush()


def _seal(crc: int) -> bytes:
    return f"crc32:{crc:08x}".encode()

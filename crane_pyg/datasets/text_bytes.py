"""The bytes of a text, perhaps gzipped, read without trusting that they end."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crane_pyg.limits import check_limit, check_unpacked, limit

_GZIP = b"\x1f\x8b"


@contextmanager
def open_bytes(path: Path) -> Iterator[io.BufferedReader]:
    """Opens a text, unpacked if it is gzipped.

    Args:
        path (Path): The file.

    Raises:
        ValueError: while it is read, if a line has no end, it unpacks to far more than it is, or
            the gzip file is damaged.
    """
    with path.open("rb") as file:
        if file.peek(2)[:2] != _GZIP:
            yield io.BufferedReader(_Bounded(path, file))
            return
        with gzip.open(file) as unpacked:
            bounded = _Bounded(path, unpacked, file.tell)
            try:
                yield io.BufferedReader(bounded)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise ValueError(
                    f"'{path}' must be a whole gzip file (got: {error}, after "
                    f"{bounded.num_lines:,} lines)"
                ) from error


def count_lines(path: Path) -> int:
    """Returns the number of lines of a text, whether or not the last one has an end."""
    lines, last = 0, b"\n"
    with open_bytes(path) as raw:
        while block := raw.read(1 << 20):
            lines, last = lines + block.count(b"\n"), block[-1:]
    return lines + (last != b"\n")


def text_lines(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """Yields the lines of a text that are not blank, with their numbers from 1.

    Args:
        path (Path): The file, perhaps gzipped.
        encoding (str, optional): How it is written. (default: :obj:`'utf-8'`)

    Raises:
        ValueError: naming the line, if it is not written so.
    """
    with open_bytes(path) as raw:
        for line, content in enumerate(raw, 1):
            try:
                text = content.decode(encoding).rstrip("\r\n")
            except UnicodeDecodeError as error:
                got = error.object[error.start : error.start + 1]
                raise ValueError(
                    f"'{path}', line {line}: must be {encoding.upper()} (got the byte {got!r})"
                ) from error
            if text.strip():
                yield line, text


class _Bounded(io.RawIOBase):
    """The bytes of a text, refused where a line has no end or a gzip file unpacks to far more.

    Args:
        path (Path): The file, for the message.
        stored: A binary reader of its text.
        packed (callable, optional): Tells how many bytes of a gzip file were read so far.
    """

    def __init__(self, path: Path, stored: Any, packed: Callable[[], int] | None = None) -> None:
        self.path, self.stored, self.packed = path, stored, packed
        self.total = self.line = self.num_lines = 0
        self.most = limit("LINE")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self.stored.read1(len(buffer))
        buffer[: len(block)] = block
        self.total += len(block)
        self.num_lines += block.count(b"\n")
        end = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self.line = self.line + len(block) if end < 0 else len(block) - end - 1
        if self.line > self.most:
            check_limit("LINE", self.line, f"'{self.path}': bytes of a line")
        if self.packed is not None:
            check_unpacked(self.path, self.total, self.packed())
        return len(block)

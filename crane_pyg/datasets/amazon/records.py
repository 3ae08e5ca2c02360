"""The gzipped text files of Amazon 2014, read a line at a time."""

import ast
import gzip
import json
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from crane_pyg.limits import check_limit, check_unpacked, limit

_BLOCK = 2**20


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yields the lines of a gzipped file that are not blank, and their numbers from 1.

    Raises:
        ValueError: if the file is no gzip file, is cut off or damaged, or a line or the whole
            is longer than :mod:`crane_pyg.limits` allow.
    """
    number, rest = 0, b""
    for block in _read_blocks(path):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        for line in lines:
            number += 1
            if line.strip():
                yield number, line
        check_limit("LINE", len(rest), f"'{path}', line {number + 1}: bytes")
    if rest.strip():
        yield number + 1, rest


def parse_record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    """Reads a JSON object or the literal of a Python dict; nothing is ever evaluated.

    Raises:
        ValueError: naming the file and the line, if it is neither, is not UTF-8, or is nested
            too deeply.
    """
    where = f"'{path}', line {number}"
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{where}: must be UTF-8 (got byte {line[error.start]:#04x} at {error.start})"
        ) from error
    try:
        record = _parse(text)
    except (RecursionError, MemoryError) as error:
        raise ValueError(f"{where}: is nested too deeply (got {_excerpt(text)})") from error
    except (ValueError, SyntaxError, TypeError) as error:
        reason = f"{error}, " if len(text) > limit("LITERAL") else ""
        raise ValueError(
            f"{where}: must be a JSON object or a Python literal (got {reason}{_excerpt(text)})"
        ) from error
    if not isinstance(record, dict):
        raise ValueError(f"{where}: must hold a record with names (got {_excerpt(text)})")
    return record


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        check_limit("LITERAL", len(text), "characters of a Python literal")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            return ast.literal_eval(text)


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _read_blocks(path: Path) -> Iterator[bytes]:
    size, done = path.stat().st_size, 0
    with (
        path.open("rb") as stored,
        gzip.GzipFile(fileobj=stored) as file,
        tqdm(total=size, desc=path.name, unit="B", unit_scale=True, disable=None) as bar,
    ):
        while True:
            try:
                block = file.read(_BLOCK)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise ValueError(
                    f"'{path}' must be a whole gzip file: damaged or cut off after {done:,} "
                    f"bytes of text (got: {error})"
                ) from error
            if not block:
                return
            done += len(block)
            check_unpacked(path, done, stored.tell())
            bar.update(stored.tell() - bar.n)
            yield block

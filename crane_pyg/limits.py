"""Bounds on what a small file may ask of a machine, and how to raise them.

A data set may come from anybody, and a few bytes can claim or unpack to more than a machine has.
The bounds are far above what real data sets need, and an environment variable raises each.
"""

import json
import os
from pathlib import Path
from typing import Any

DEFAULTS = {
    "LINE": 2**24,  # bytes of a line
    "TEXT": 2**24,  # bytes of a file of settings or ids
    "LITERAL": 2**20,  # characters of a Python literal, which takes 200 times that to read
    "COLUMNS": 10_000,  # of a table
    "IDS": 100,  # ids for each interaction, where there are more than 250,000
    "UNPACKED": 100,  # times its own size that a file may unpack to, beyond 16 MiB
    "PICTURE": 2**26,  # bytes of a picture's file
    "PIXELS": 25_000_000,  # of a picture
}

_PREFIX = "CRANE_PYG_MAX_"
_SMALL = 2**24  # bytes that any file may unpack to
_SHOWN = 200  # characters of a value in a message


def limit(name: str) -> int:
    """Returns a bound: its default, or what ``CRANE_PYG_MAX_<name>`` in the environment says.

    Raises:
        ValueError: if the variable is no positive whole number.
    """
    text = os.environ.get(_PREFIX + name)
    if text is None:
        return DEFAULTS[name]
    if not (text.isascii() and text.isdecimal() and int(text[:18]) > 0):
        raise ValueError(f"{_PREFIX}{name} must be a positive whole number (got {text!r})")
    return int(text[:18])


def check_limit(name: str, value: int, what: str, *, bound: int | None = None) -> None:
    """Refuses what goes beyond a bound.

    Args:
        name (str): The bound, a key of :data:`DEFAULTS`.
        value (int): What there is.
        what (str): What it counts, and of which file, to begin the message with.
        bound (int, optional): What the bound comes to here. (default: :obj:`limit(name)`)

    Raises:
        ValueError: if there is more; it says which variable allows more.
    """
    bound = limit(name) if bound is None else bound
    if value > bound:
        raise ValueError(
            f"{what}: must be at most {bound:,} (got {value:,}; {_PREFIX}{name} in the "
            f"environment, now {limit(name)}, allows more)"
        )


def check_unpacked(path: Path, unpacked: int, packed: int | None = None) -> None:
    """Refuses a file that unpacks to many times its size.

    Args:
        path (Path): The file.
        unpacked (int): Bytes that it unpacks to, or did so far.
        packed (int, optional): Bytes that these were. (default: the size of the file)

    Raises:
        ValueError: if they are more than the bound allows.
    """
    if unpacked > _SMALL:
        packed = path.stat().st_size if packed is None else packed
        bound = max(_SMALL, limit("UNPACKED") * packed)
        check_limit("UNPACKED", unpacked, f"'{path}': bytes unpacked", bound=bound)


def existing_file(path: Path) -> Path:
    """Returns the path; raises a :class:`ValueError` if there is no file, or none with an end."""
    if not path.is_file():
        got = "a folder" if path.is_dir() else "a pipe or a device" if path.exists() else None
        raise ValueError(f"'{path}' must be a file (got {got})")
    return path


def read_short_text(path: Path) -> str:
    """Reads a file of settings or ids: UTF-8, perhaps with a mark of byte order.

    Raises:
        ValueError: naming the file, if it is none, is too long or not UTF-8.
    """
    check_limit("TEXT", existing_file(path).stat().st_size, f"'{path}': bytes of text")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"'{path}' must be UTF-8 (got: {error})") from error


def read_json(path: Path) -> Any:
    """Reads a JSON file; raises a :class:`ValueError` that names it if it is none."""
    return parse_json(read_short_text(path), f"'{path}'")


def parse_json(text: str, where: str) -> Any:
    """Parses JSON.

    Args:
        text (str): The JSON.
        where (str): What the message begins with.

    Raises:
        ValueError: if it is none, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(f"{where} must be JSON (got one nested too deeply)") from None
    except ValueError as error:
        raise ValueError(f"{where} must be JSON (got: {error})") from error


def shown(value: object) -> str:
    """Returns how a value reads in a message, the middle left out where it is long."""
    return cut(repr(value))


def cut(text: str) -> str:
    """Returns a text for a message, the middle left out where it is long."""
    half = _SHOWN // 2
    return text if len(text) <= _SHOWN else f"{text[:half]} ... {text[-half:]}"

"""Writing files so that a reader, or a run that goes on later, never meets half of one."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from crane_pyg.locks import create_locked, remove_unheld


def write_atomically(path: Path | str, write: Callable[[Path], object]) -> None:
    """Write to a file beside ``path``, then rename it: a kill leaves the old file or the new one.

    So does a power cut, as far as the disk keeps what it says that it has written. Of several
    processes that write to one path the last one's file stays, whole. What a killed one left beside
    it goes with the next write.

    Args:
        path: file to create or replace; its folders are created too.
        write: called with the path of the temporary file, empty, which it must write. What it
            raises leaves ``path`` as it was, and nothing beside it.

    Raises:
        OSError: naming ``path``, if it cannot be written.
        ValueError: if a folder or a device lies there.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError(f"'{path}' must be a file, or not there yet")
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.iterdir():
        if left.name.startswith(f".{path.name}.") and left.name.endswith(".part"):
            remove_unheld(left)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    handle = None
    try:
        handle = create_locked(aside)
        write(aside)
        sync(aside)
        os.replace(aside, path)
        sync(path.parent)
    except OSError as error:
        if error.errno is None or error.filename not in (None, os.fspath(aside)):
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
    finally:
        aside.unlink(missing_ok=True)
        if handle is not None:
            os.close(handle)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk.

    Args:
        path: the file or folder.
    """
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path | str, text: str) -> None:
    """Write text as :func:`write_atomically` does."""
    write_atomically(path, lambda aside: aside.write_text(text, encoding="utf-8"))

"""Writing files so that a reader, or a run that goes on later, never meets half of one."""

import os
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: Path | str, write: Callable[[Path], object]) -> None:
    """Write to a file beside ``path``, then rename it: a kill leaves the old file or the new one.

    Of several processes that write to one path the last one's file stays, whole.

    Args:
        path: file to create or replace; its folders are created too.
        write: called with the path of the temporary file, which it must write. What it raises
            leaves ``path`` as it was, and nothing beside it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(aside)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write text as :func:`write_atomically` does."""
    write_atomically(path, lambda aside: aside.write_text(text, encoding="utf-8"))

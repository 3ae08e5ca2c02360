"""Writing a folder as a whole: it is filled beside its place and then renamed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from crane_pyg.files import sync
from crane_pyg.limits import read_json
from crane_pyg.locks import hold, lock

METADATA = "dataset.json"
WRITER = "crane_pyg"


@contextmanager
def whole_folder(out: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Hands out an empty folder beside :obj:`out`, and renames it to :obj:`out` at the end.

    Everything is on the disk before the name is. If the block raises, whatever it raises, the
    folder is removed and :obj:`out` is as it was. What a killed run left is removed by the next.

    Args:
        out (Path): The path of the folder; its parents are made. A link is followed and stays.
        overwrite (bool, optional): Whether to replace a folder that this function made, for
            :func:`~crane_pyg.datasets.writer.write_dataset`, and nobody else added to.
            (default: :obj:`False`)

    Raises:
        ValueError: if :obj:`out` is there, not empty, and must not be replaced, or another process
            is making it.
    """
    out = Path(os.path.realpath(out))
    old = out.with_name(f".{out.name}.replaced")
    with hold_folder(out):
        if old.exists() and not out.exists():  # killed while replacing
            old.rename(out)
        check_out(out, overwrite=overwrite)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(old, ignore_errors=True)
        _sweep(out)
        aside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
        handle = _lock(aside)
        try:
            aside.chmod(0o777 & ~_umask())
            yield aside
            for path in [*aside.rglob("*"), aside]:
                sync(path)
            _replace(out, aside, old)
        finally:
            if handle is not None:
                os.close(handle)
            shutil.rmtree(aside, ignore_errors=True)


def hold_folder(out: Path) -> AbstractContextManager[None]:
    """Is the only process that makes this folder, as :func:`whole_folder` does.

    Args:
        out (Path): The path of the folder; of a link, what it leads to is held.

    Raises:
        ValueError: naming the process, if another one makes it.
    """
    out = Path(os.path.realpath(out))
    return hold(out.with_name(f".{out.name}.lock"), out)


def _replace(out: Path, aside: Path, old: Path) -> None:
    if out.exists():
        out.rename(old)
    try:
        aside.rename(out)
    except BaseException:
        if old.exists():
            old.rename(out)
        raise
    sync(out.parent)
    shutil.rmtree(old, ignore_errors=True)


def check_out(out: Path, *, overwrite: bool) -> None:
    """Raises the :class:`ValueError` that :func:`whole_folder` would, before any work is done."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ValueError(f"'{out}' must be a folder, or not there yet (got a file)")
    there = {path.name for path in out.iterdir()}
    if not there:
        return
    ours = _written(out)
    if not ours:
        raise ValueError(
            f"'{out}' must be empty or not there yet (got {len(there)} entries that were not "
            f"written by this program, such as '{min(there)}')"
        )
    if foreign := there - ours:
        raise ValueError(
            f"'{out}' cannot be replaced: it holds what does not belong to its data set "
            f"(got '{min(foreign)}')"
        )
    if not overwrite:
        raise ValueError(f"'{out}' holds a data set already (got no --overwrite)")


def _written(out: Path) -> set[str]:
    try:
        about = read_json(out / METADATA)
        return set(about["files"]) if about["written_by"] == WRITER else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _lock(folder: Path) -> int | None:
    """Holds a folder as long as this process lives; :obj:`None` where that cannot be."""
    if os.name == "nt":
        return None  # Windows opens no folders
    handle = os.open(folder, os.O_RDONLY)
    try:
        if lock(handle):
            return handle
    except BlockingIOError:
        pass
    os.close(handle)
    return None


def _sweep(out: Path) -> None:
    """Removes the folders of earlier runs for :obj:`out` that nobody holds any more."""
    for left in out.parent.glob(f".{out.name}.*.partial"):
        handle = _lock(left)
        if handle is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

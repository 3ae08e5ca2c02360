"""Locks on files and folders that are gone with the process that holds them."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_held: set[tuple[int, Path]] = set()  # with the process, for a fork is another one


def lock(handle: int) -> bool:
    """Lock an open file or folder until it is closed, or its process ends.

    Args:
        handle: its descriptor.

    Returns:
        whether it is locked: some file systems, and Windows, know no such locks.

    Raises:
        BlockingIOError: if another process holds it.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


def create_locked(path: Path) -> int | None:
    """Create a file, locked, where nothing lies, be it a link.

    Args:
        path: the file.

    Returns:
        the descriptor that holds it; ``None`` where there are no such locks.

    Raises:
        FileExistsError: if something lies there.
    """
    while True:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            if not lock(handle):
                os.close(handle)
                return None
            if _is(path, handle):
                return handle
        except BlockingIOError:
            pass
        os.close(handle)  # who removes what nobody holds was quicker


def remove_unheld(path: Path) -> None:
    """Remove a file or link unless a process holds it, or might.

    Args:
        path: the file.
    """
    if path.is_symlink():
        path.unlink(missing_ok=True)
        return
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return
    try:
        if lock(handle):
            path.unlink(missing_ok=True)
    except OSError:
        pass
    finally:
        os.close(handle)


@contextmanager
def hold(path: Path, what: Path) -> Iterator[None]:
    """Be the only process that writes something; within one process the block may be nested.

    Args:
        path: file that says who holds it; its folders are made. It is removed in the end; one
            that a killed process left is taken over.
        what: what is held, for the message.

    Raises:
        ValueError: naming the process, if another one holds it.
    """
    path = Path(os.path.abspath(path))
    own = (os.getpid(), path)
    if own in _held or fcntl is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _open_held(path, what)
    _held.add(own)
    try:
        os.ftruncate(handle, 0)
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        os.write(handle, f"{os.getpid()} since {since}: {command}\n".encode(errors="replace"))
        yield
    finally:
        _held.discard(own)
        path.unlink(missing_ok=True)
        os.close(handle)


def _open_held(path: Path, what: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    while True:
        handle = os.open(path, flags, 0o666)
        try:
            lock(handle)
        except BlockingIOError:
            holder = os.read(handle, 500).decode(errors="replace").strip() or "another one"
            os.close(handle)
            raise ValueError(
                f"'{what}' is in use by process {holder}; wait for its end, or choose another "
                "folder"
            ) from None
        if _is(path, handle):
            return handle
        os.close(handle)  # whoever held it has just removed it


def _is(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(handle))
    except FileNotFoundError:
        return False

"""Commands in a copy of this process, which has everything imported, and faults within it."""

import os
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from tests.robustness.subjects import Command

TRACEBACK = 70


class Ended(NamedTuple):
    """How a process ended: its exit status, minus the signal if it was killed, and its stderr."""

    status: int
    stderr: str

    @property
    def line(self) -> str | None:
        """The one line that it ended with, if it ended with an error that it told clearly."""
        last = self.stderr.rstrip("\n").rpartition("\n")[2]
        clear = self.status in (1, 2) and last.startswith("error: ")
        return last if clear and "Traceback" not in self.stderr else None


class Process:
    """A copy of this process that runs commands in a folder."""

    def __init__(
        self, commands: Sequence[Command], folder: Path, fault: Callable[[], None] | None = None
    ) -> None:
        self._read, write = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads, which the copy does without
            self.pid = os.fork()
        if self.pid == 0:
            os._exit(_run(commands, folder, fault, write))
        os.close(write)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> Ended:
        with os.fdopen(self._read, errors="replace") as file:
            text = file.read()
        return Ended(os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]), text)


def _run(
    commands: Sequence[Command], folder: Path, fault: Callable[[], None] | None, stderr: int
) -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(stderr, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    torch.set_num_threads(1)  # the others' threads are not in the copy, which would wait for them
    try:
        os.chdir(folder)
        if fault is not None:
            fault()
        for main, argv in commands:
            main(argv)
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
        status = TRACEBACK
    sys.stderr.flush()
    return status


def count_writes(at: Callable[[int], None]) -> None:
    """Call ``at`` with 1, 2, ... before each file or folder that is opened to be written, renamed,
    removed or made."""
    count = 0

    def hook(event: str, args: tuple) -> None:
        nonlocal count
        written = event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR)
        if written or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            count += 1
            at(count)

    sys.addaudithook(hook)


def crash_at(number: int) -> None:
    """Kill this process before that write."""

    def at(count: int) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    count_writes(at)


def fill_disk(limit: int) -> None:
    """No file may grow beyond so many bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def kill_after(process: Process, seconds: float) -> Ended:
    """Kill a process at a moment, if it has not ended."""
    time.sleep(seconds)
    process.kill()
    return process.wait()

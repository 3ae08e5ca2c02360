"""One seeded fault, and what became of it."""

import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tests.robustness.processes import (
    Ended,
    Process,
    count_writes,
    crash_at,
    fill_disk,
    kill_after,
)
from tests.robustness.subjects import SUBJECTS, Subject

IDENTICAL, CLEAR, ELSE = "identical", "clear line", "anything else"


class Outcome(NamedTuple):
    """What a fault ended in, and the line or what was wrong."""

    end: str
    detail: str = ""


class Wrong(Exception):
    """Neither an identical result nor a clear line."""


class Target:
    """A subject, a folder where it ended well, and what it takes.

    Args:
        name: a key of :data:`SUBJECTS`.
        root: folder for all that is tried.
    """

    def __init__(self, name: str, root: Path) -> None:
        self.subject: Subject = SUBJECTS[name]
        self.root = root
        self.empty, self.whole = root / f"{name}-empty", root / f"{name}-whole"
        self.empty.mkdir(parents=True)
        self.subject.prepare(self.empty)
        if self.subject.attacked != self.subject.commands:
            ended = Process(self.subject.commands[:-1], self.empty).wait()
            assert ended.status == 0, ended.stderr
        shutil.copytree(self.empty, self.whole)
        start = time.perf_counter()
        noted = root / f"{name}-writes"
        ended = Process(self.subject.attacked, self.whole, partial(_note_writes, noted)).wait()
        assert ended.status == 0, ended.stderr
        self.seconds = time.perf_counter() - start
        self.writes = len(noted.read_bytes())
        self.result = self.subject.result(self.whole)
        self.largest = max(path.stat().st_size for path in _files(self.whole))

    def attack(self, kind: str, seed: str) -> Outcome:
        """One fault of a kind of :data:`KINDS`, which ``seed`` decides."""
        rng = random.Random(seed)
        with tempfile.TemporaryDirectory(dir=self.root) as folder:
            place = Path(folder) / "place"
            try:
                line = KINDS[kind](self, place, rng)
                self._recover(place, line)
            except Wrong as wrong:
                return Outcome(ELSE, f"{wrong}")
            return Outcome(CLEAR if line else IDENTICAL, line or "")

    def start(self, place: Path, *, whole: bool) -> None:
        shutil.copytree(self.whole if whole else self.empty, place)

    def ended(self, ended: Ended, place: Path) -> str | None:
        """The clear line; none if the result is the right one."""
        if ended.status == 0:
            self.check(place)
            return None
        if ended.line is None:
            raise Wrong(f"exit status {ended.status}: {ended.stderr[-1500:]}")
        return ended.line

    def check(self, place: Path) -> None:
        if self.subject.result(place) != self.result:
            raise Wrong("the result is another one")

    def _recover(self, place: Path, line: str | None) -> None:
        """Do what the line says, if it says something, and start again."""
        for _ in range(3):
            if line is not None and (found := re.search(r"'([^']+)' .*; remove it", line)):
                (place / found[1]).unlink()
            ended = Process(self.subject.commands, place).wait()
            again = self.ended(ended, place)
            if again is None:
                break
            if again == line:
                shutil.rmtree(place / "out")  # choose another folder, it says
            line = again
        else:
            raise Wrong(f"there is no end to it: {line}")
        for left in [*place.rglob(".*.part"), *place.rglob(".*.partial"), *place.rglob("*.lock")]:
            raise Wrong(f"{left.name} is left behind")


def _note_writes(path: Path) -> None:
    file = path.open("ab", buffering=0)
    count_writes(lambda count: file.write(b"x"))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _crash(target: Target, place: Path, rng: random.Random) -> str | None:
    target.start(place, whole=False)
    number = rng.randint(1, target.writes)
    ended = Process(target.subject.attacked, place, partial(crash_at, number)).wait()
    return None if ended.status == -9 else target.ended(ended, place)


def _kill(target: Target, place: Path, rng: random.Random) -> str | None:
    target.start(place, whole=False)
    process = Process(target.subject.attacked, place)
    ended = kill_after(process, rng.uniform(0, target.seconds))
    return None if ended.status == -9 else target.ended(ended, place)


def _full_disk(target: Target, place: Path, rng: random.Random) -> str | None:
    target.start(place, whole=False)
    limit = int(target.largest ** rng.random())
    return target.ended(
        Process(target.subject.attacked, place, partial(fill_disk, limit)).wait(), place
    )


def _damage(
    target: Target, place: Path, rng: random.Random, spoil: Callable[[Any, bytearray], None]
) -> str | None:
    """A file of a run that has ended, or was killed on the way."""
    if rng.random() < 0.5:
        target.start(place, whole=True)
    else:
        _crash(target, place, rng)
    files = [path for path in _files(place / "out") if path.stat().st_size]
    if files:
        path = rng.choice(files)
        content = bytearray(path.read_bytes())
        spoil(rng, content)
        path.unlink()
        path.write_bytes(content)
    line = target.ended(Process(target.subject.attacked, place).wait(), place)
    if line is not None and "'" not in line:
        raise Wrong(f"the line names no file: {line}")
    return line


def _flip(rng: random.Random, content: bytearray) -> None:
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _cut(rng: random.Random, content: bytearray) -> None:
    del content[rng.randrange(len(content)) :]


def _pair(target: Target, place: Path, rng: random.Random) -> str | None:
    target.start(place, whole=False)
    first = Process(target.subject.attacked, place)
    time.sleep(rng.uniform(0, target.seconds / 2) * rng.randint(0, 1))
    second = Process(target.subject.attacked, place)
    ends = [process.wait() for process in (first, second)]
    lines = [end.line for end in ends if end.status != 0]
    if len(lines) == 2 or (lines and (lines[0] is None or "is in use by" not in lines[0])):
        raise Wrong(f"{[(end.status, end.stderr[-800:]) for end in ends]}")
    target.check(place)
    return lines[0] if lines else None


def _other(target: Target, place: Path, rng: random.Random) -> str | None:
    """Another command on what has ended, or was killed on the way, takes nothing of it."""
    target.start(place, whole=True)
    before = {path: path.read_bytes() for path in _files(place)}
    ended = Process([target.subject.other], place).wait()
    if ended.line is None:
        raise Wrong(f"it was not refused: {ended.status} {ended.stderr[-800:]}")
    if {path: path.read_bytes() for path in _files(place)} != before:
        raise Wrong("it was refused, but left something")
    return ended.line


KINDS: dict[str, Callable[[Target, Path, random.Random], str | None]] = {
    "crash at a write": _crash,
    "kill": _kill,
    "full disk": _full_disk,
    "flipped bit": partial(_damage, spoil=_flip),
    "cut file": partial(_damage, spoil=_cut),
    "two processes": _pair,
    "another run": _other,
}

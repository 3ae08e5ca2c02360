"""Seconds by events of CUDA, of the clock elsewhere."""

import gc
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

MOST = 50
# Written before each measurement: empties the cache, and takes longer than to launch what follows.
SCRATCH_BYTES = 2**30


class Timing(NamedTuple):
    """Seconds: of the first call, which compiles, and of those that follow."""

    first: float
    median: float
    least: float

    def record(self, name: str) -> dict[str, float]:
        return {
            f"{name}_s": self.median,
            f"{name}_min_s": self.least,
            f"{name}_first_s": self.first,
        }


def timed(work: Callable[[], Any], device: torch.device, seconds: float) -> Timing:
    """As many calls as fit into ``seconds``, two at least, from a cold cache."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    first = time.perf_counter() - start
    size = SCRATCH_BYTES if device.type == "cuda" else 0
    scratch = torch.empty(size, dtype=torch.uint8, device=device)

    def rounds(count: int) -> list[float]:
        watch = Stopwatch(device)
        for _ in range(count):
            scratch.zero_()
            watch.start()
            work()
            watch.lap("work")
        return watch.laps()["work"]

    laps = rounds(1)
    laps += rounds(int(min(max(seconds / max(laps[0], 1e-6), 1), MOST)))
    return Timing(first, statistics.median(laps), min(laps))


class Stopwatch:
    """Laps by name. On CUDA they lie on the stream, and are read in the end, without waiting."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._marks: list[tuple[str, Any]] = []

    def start(self) -> None:
        self.lap("")

    def lap(self, name: str) -> None:
        """What happened since the lap before."""
        if self.device.type == "cuda":
            mark = torch.cuda.Event(enable_timing=True)
            mark.record()
        else:
            mark = time.perf_counter()
        self._marks.append((name, mark))

    def laps(self) -> dict[str, list[float]]:
        synchronize(self.device)
        found: dict[str, list[float]] = defaultdict(list)
        for (_, before), (name, mark) in zip(self._marks, self._marks[1:]):
            if name:
                cuda = self.device.type == "cuda"
                found[name].append(before.elapsed_time(mark) / 1e3 if cuda else mark - before)
        return dict(found)


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def forget(device: torch.device) -> None:
    """Give memory back, and let its peak start anew."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_mb(work: Callable[[], Any], device: torch.device) -> float | None:
    """That the allocator reaches beyond what it holds before."""
    if device.type != "cuda":
        return None
    forget(device)
    before = torch.cuda.memory_allocated(device)
    work()
    synchronize(device)
    return (torch.cuda.max_memory_allocated(device) - before) / 2**20

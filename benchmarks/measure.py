"""What the benchmarks share: rivals timed in turn, peak memory, slopes, and where all that ran."""

import ctypes
import itertools
import multiprocessing
import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training import TripletSampler

WARM_UP_SIZE = 64


class Rival(NamedTuple):
    """A function to measure, and the leaves for which to go backward: none, forward only."""

    forward: Callable[[], Any]
    leaves: Sequence[Tensor] = ()

    def step(self) -> "Cost":
        start = _now()
        out = self.forward()
        middle = _now()
        if not self.leaves:
            return Cost(middle - start, 0.0)
        grad_out = torch.ones_like(out)
        restart = _now()
        torch.autograd.grad(out, self.leaves, grad_out)
        return Cost(middle - start, _now() - restart)


class Cost(NamedTuple):
    """Seconds of one step."""

    forward: float
    backward: float

    @property
    def total(self) -> float:
        return self.forward + self.backward


class TimedSampler(TripletSampler):
    """The batches of an epoch, or the first of them, and the seconds that training took for each.

    Args:
        data: the graph.
        batch_size: interactions per batch.
        limit: batches of an epoch. (default: all)
    """

    def __init__(self, data: HeteroData, batch_size: int, limit: int | None = None) -> None:
        super().__init__(data[USER_TO_ITEM].edge_index, data["item"].num_nodes, batch_size)
        self.limit = limit
        self.started = 0.0  # when the first batch was handed out
        self.seconds: list[float] = []

    def __len__(self) -> int:
        return len(range(super().__len__())[: self.limit])

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        self.seconds = []
        for batch in itertools.islice(super().__iter__(), self.limit):
            start = _now()
            self.started = self.started if self.seconds else start
            yield batch
            self.seconds.append(_now() - start)


class Memory(NamedTuple):
    """Bytes beyond the inputs: peaks, and what of them a caller gets (output and gradients)."""

    forward: int
    total: int
    output: int
    results: int


def interleave(
    rivals: Mapping[str, Rival], rounds: int = 10, budget: float = 5.0
) -> dict[str, list[Cost]]:
    """Every rival once a round, in turn, so that what else the machine does meets all alike.

    The first round is warm-up. Who has spent ``budget`` seconds sits out the rest; who spends them
    in the warm-up is judged by that.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in rivals}
    for _ in range(1 + rounds):
        for name, rival in rivals.items():
            if sum(cost.total for cost in costs[name]) < budget:
                costs[name].append(rival.step())
    return {name: runs[1:] or runs for name, runs in costs.items()}


def summary(costs: Sequence[Cost]) -> dict[str, float]:
    """Medians and minima in seconds."""
    forward = [cost.forward for cost in costs]
    total = [cost.total for cost in costs]
    return {
        "forward_s": statistics.median(forward),
        "forward_min_s": min(forward),
        "total_s": statistics.median(total),
        "total_min_s": min(total),
    }


def peak_memory(build: Callable[[int], Rival], n: int, device: torch.device) -> Memory | None:
    """The peak of one step of ``build(n)``.

    On CUDA that of torch's allocator. On a CPU the growth of the resident memory (``VmHWM``) of a
    process that did nothing else but a step at a tiny size: torch's own counters miss what its
    libraries allocate, and an older process has freed memory to hide in. Only Linux resets that
    peak; elsewhere there is no figure.
    """
    if device.type == "cuda":
        return _cuda_memory(build, n)
    if sys.platform != "linux":
        return None
    with fresh_process() as pool:
        return pool.submit(_resident_memory, build, n, torch.get_num_threads()).result()


def with_peak(work: Callable[..., Any], *args: Any) -> tuple[Any, int]:
    """What ``work`` returns in a fresh process on Linux, and the most bytes that this one held."""
    with fresh_process() as pool:
        return pool.submit(_with_peak, work, args).result()


def _with_peak(work: Callable[..., Any], args: Sequence[Any]) -> tuple[Any, int]:
    return work(*args), resident_peak()


def die_with_parent() -> None:
    """End this process as soon as the one that started it has ended, however it did."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def fresh_process(
    preload: Sequence[str] = ("benchmarks.measure", "crane_pyg.nn.models"),
) -> ProcessPoolExecutor:
    """A worker forked from a server that holds the imports and has no threads yet: in no time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*preload])
    return ProcessPoolExecutor(1, mp_context=context, initializer=die_with_parent)


def _resident_memory(build: Callable[[int], Rival], n: int, num_threads: int) -> Memory:
    torch.set_num_threads(num_threads)
    build(WARM_UP_SIZE).step()
    rival = build(n)
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = resident_peak()
    out = rival.forward()
    forward = resident_peak()
    grads = _backward(out, rival.leaves)
    total = resident_peak()
    return Memory(forward - before, total - before, out.nbytes, out.nbytes + grads)


def _cuda_memory(build: Callable[[int], Rival], n: int) -> Memory:
    build(WARM_UP_SIZE).step()
    rival = build(n)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    out = rival.forward()
    forward = torch.cuda.max_memory_allocated()
    grads = _backward(out, rival.leaves)
    total = torch.cuda.max_memory_allocated()
    return Memory(forward - before, total - before, out.nbytes, out.nbytes + grads)


def _backward(out: Tensor, leaves: Sequence[Tensor]) -> int:
    """Bytes of all gradients, the output's included."""
    if not leaves:
        return 0
    grad_out = torch.ones_like(out)
    grads = torch.autograd.grad(out, leaves, grad_out)
    return grad_out.nbytes + sum(grad.nbytes for grad in grads)


def free_memory(device: torch.device) -> float:
    """Bytes; without limit where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return _proc("meminfo", "MemAvailable") if sys.platform == "linux" else float("inf")


def resident_peak() -> int:
    """Bytes that this process had in memory at most, on Linux."""
    return _proc("self/status", "VmHWM")


def slope(sizes: Sequence[int], values: Sequence[float]) -> float | None:
    """The exponent of the power law that fits best, or None where there is nothing to fit."""
    if len(sizes) < 2 or min(values) <= 0:
        return None
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def upper_slope(sizes: Sequence[int], values: Sequence[float]) -> float | None:
    """The exponent over the upper half of the sizes, where what is constant no longer counts."""
    half = len(sizes) // 2
    return slope(sizes[half:], values[half:])


def machine(device: torch.device) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {"machine": name, "torch": torch.__version__, "threads": torch.get_num_threads()}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _proc(path: str, field: str) -> int:
    """Bytes, from a line such as ``VmHWM:  1024 kB``."""
    lines = Path("/proc", path).read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()

"""Ranks for a test: forks of its process, on gloo."""

import multiprocessing
import os
import warnings
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from typing import Any

import torch
import torch.distributed as dist

from crane_pyg import ranks


def start_store() -> dist.TCPStore:
    """What a launcher keeps for its ranks; it has answered, so that its thread holds no lock that a
    fork would find closed for ever."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    store.set("started", "")
    store.get("started")
    return store


def run_together(
    count: int, function: Callable[..., Any], *args: Any, store: dist.TCPStore | None = None
) -> list[int]:
    """Run a function on each of some ranks, which are together; returns how each process ended."""
    store = store or start_store()
    fork = multiprocessing.get_context("fork")
    # The store's thread asks the system for names of who calls it, under a lock that a fork would
    # keep: none calls before all are there.
    there = fork.Barrier(count)
    processes = [
        fork.Process(
            target=_run, args=(rank, count, store.port, there, function, args), daemon=True
        )
        for rank in range(count)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads, which the copies do without
        for process in processes:
            process.start()
    for process in processes:
        process.join(timeout=120)
    return [process.exitcode for process in processes]


def _run(
    rank: int, count: int, port: int, there: Barrier, function: Callable[..., Any], args: Any
) -> None:
    there.wait()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"  # as torchrun has it
    with ranks.together():
        function(*args)

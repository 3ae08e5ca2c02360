"""Synthetic sets, drawn in processes of their own while the card does something else."""

import multiprocessing
import tempfile
import time
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import torch
from torch_geometric.data import HeteroData

from benchmarks.gpu.sizes import Sizes
from benchmarks.measure import die_with_parent
from crane_pyg.datasets import SyntheticMultimodal

PATIENCE = 120.0  # seconds to wait for a set before it is drawn here


class Drawing:
    """The sets by the preset's name; with ``ahead`` they are drawn from now on, all at once."""

    def __init__(self, sizes: Sizes, *, ahead: bool) -> None:
        self.sizes = sizes
        self.seconds: dict[str, float] = {}
        self._data: dict[str, HeteroData] = {}
        self._pool: ProcessPoolExecutor | None = None
        self._drawn: dict[str, Future[tuple[Path, float]]] = {}
        if ahead:
            self._folder = tempfile.TemporaryDirectory()
            context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
            self._pool = ProcessPoolExecutor(
                len(sizes.scale), mp_context=context, initializer=die_with_parent
            )
            for preset in sorted(sizes.scale, key=lambda name: name != "electronics"):
                path = Path(self._folder.name, f"{preset}.pt")
                self._drawn[preset] = self._pool.submit(draw_to, path, preset, sizes)

    def data(self, preset: str) -> HeteroData:
        if preset not in self._data:
            self._data[preset] = self._load(preset)
        return self._data[preset]

    def _load(self, preset: str) -> HeteroData:
        if preset in self._drawn:
            try:
                path, self.seconds[preset] = self._drawn[preset].result(PATIENCE)
                return torch.load(path, weights_only=False)
            except Exception as error:  # a process that was killed, a full disk
                print(f"{preset} is drawn again, here: {type(error).__name__}: {error}", flush=True)
        start = time.perf_counter()
        data = draw(preset, self.sizes)
        self.seconds[preset] = time.perf_counter() - start
        return data

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._folder.cleanup()


def draw(preset: str, sizes: Sizes) -> HeteroData:
    visual, textual = sizes.widths
    scale = sizes.scale[preset]
    return SyntheticMultimodal(preset, scale=scale, visual_dim=visual, textual_dim=textual)[0]


def draw_to(path: Path, preset: str, sizes: Sizes) -> tuple[Path, float]:
    start = time.perf_counter()
    torch.save(draw(preset, sizes), path)
    return path, time.perf_counter() - start

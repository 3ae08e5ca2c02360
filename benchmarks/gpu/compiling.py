"""Kernels compiled ahead, each set in a process of its own: one after another takes minutes.

Triton and inductor keep what they compile on disk; the process that measures finds it there.
"""

import multiprocessing
import os
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.gpu.attention import FUSED
from benchmarks.gpu.rivals import flex, inputs
from benchmarks.gpu.rulers import products_in
from benchmarks.gpu.session import Record
from benchmarks.gpu.sizes import Sizes
from crane_pyg.ops import tanh_attention

PATIENCE = 75.0  # seconds; what is not there by then compiles where it is needed
EVEN, ODD = 2048, 2049  # Triton compiles for sizes that 16 divides, and for others


def compile_ahead(sizes: Sizes) -> Record:
    """Seconds by what was compiled, or why it failed."""
    jobs: dict[str, tuple[Any, ...]] = {
        f"{impl} {precision} {d} {n}": (attention, impl, precision, n, d)
        for impl, precision, n, d in _attentions(sizes)
    }
    jobs |= {f"flex {d}": (rival, sizes.half_rows, d) for d in sizes.channels}
    start = time.perf_counter()
    found: Record = {}
    context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    with context.Pool(min(len(jobs), os.cpu_count() or 1), maxtasksperchild=1) as pool:
        results = {name: pool.apply_async(*_call(job)) for name, job in jobs.items()}
        for name, result in results.items():
            left = PATIENCE - (time.perf_counter() - start)
            try:
                found[name] = result.get(max(left, 0))
            except Exception as error:  # whatever it is: what measures will meet it again
                found[name] = f"{type(error).__name__}: {error}"[:200]
    return {"compiled": found, "compile_s": time.perf_counter() - start}


def _call(job: tuple[Any, ...]) -> tuple[Callable[..., float], tuple[Any, ...]]:
    function, *args = job
    return function, tuple(args)


def _attentions(sizes: Sizes) -> list[tuple[str, str, int, int]]:
    """Slowest first: one more job than processors waits for one of them."""
    small = sizes.channels[0]
    models = [("triton", precision, ODD, small) for precision in ("float32", "tf32")]
    measured = [
        (impl, precision, EVEN, d)
        for precision in ("float32", "tf32", "bfloat16", "float16")
        for d in reversed(sizes.channels)
        for impl in (FUSED[:1] if "16" in precision else FUSED)
    ]
    return [*models, *measured]


def attention(impl: str, precision: str, n: int, d: int) -> float:
    start = time.perf_counter()
    with products_in(precision) as dtype:
        leaves = [torch.randn(n, d, device="cuda", dtype=dtype).requires_grad_() for _ in range(3)]
        tanh_attention(*leaves, impl=impl).sum().backward()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def rival(n: int, d: int) -> float:
    start = time.perf_counter()
    leaves = [x.requires_grad_() for x in inputs(n, d, 1, torch.bfloat16, torch.device("cuda"))]
    flex(compiled=True)(*leaves).sum().backward()
    torch.cuda.synchronize()
    return time.perf_counter() - start

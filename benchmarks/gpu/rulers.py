"""Rulers: what this card does at best, measured in the same run."""

import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import torch

from benchmarks.gpu.limits import tanh_rate
from benchmarks.gpu.session import Record, Session
from benchmarks.gpu.timing import forget, timed

PACKAGES = ("torch", "triton", "torch-geometric", "torch-sparse", "numpy")


class Precision(NamedTuple):
    """How products are computed; ``tf32`` lets float32 onto the tensor cores."""

    dtype: torch.dtype
    tf32: bool = False


PRECISIONS = {
    "bfloat16": Precision(torch.bfloat16),
    "float16": Precision(torch.float16),
    "tf32": Precision(torch.float32, tf32=True),
    "float32": Precision(torch.float32),
}


@contextmanager
def products_in(precision: str) -> Iterator[torch.dtype]:
    """Float32 products on the tensor cores, or as IEEE has them; yields the dtype."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if PRECISIONS[precision].tf32 else "highest")
    try:
        yield PRECISIONS[precision].dtype
    finally:
        torch.set_float32_matmul_precision(before)


def run(session: Session) -> None:
    """Of all precisions, whatever is measured by them."""
    session.attempt("machine", {}, machine, session.device)
    for name in PRECISIONS:
        session.attempt("rulers", {"ruler": name}, product, session, name)
    session.attempt("rulers", {"ruler": "copy"}, copy, session)
    if session.device.type == "cuda":
        for name, dtype in (("tanh", torch.float32), ("packed tanh", torch.float16)):
            session.attempt("rulers", {"ruler": name}, tanh_unit, session.device, dtype)


def machine(device: torch.device) -> Record:
    record: Record = {
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        **{name: _version(name) for name in PACKAGES},
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        record |= {
            "multiprocessors": properties.multi_processor_count,
            "memory_gb": properties.total_memory / 2**30,
            "capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
        }
    return record


def product(session: Session, precision: str) -> Record:
    """The best of the square products."""
    device, sizes = session.device, session.sizes
    squares = sizes.ieee_squares if precision == "float32" else sizes.squares
    rates = {}
    with products_in(precision) as dtype:
        for size in squares:
            a, b = torch.randn(2, size, size, device=device).to(dtype)
            work = partial(torch.mm, a, b, out=torch.empty_like(a))
            rates[size] = 2 * size**3 / timed(work, device, sizes.seconds).least
    forget(device)
    best = max(rates, key=rates.__getitem__)
    return {"rate": rates[best], "size": best, "rates": rates}


def copy(session: Session) -> Record:
    """Bytes read and written a second."""
    rates = {}
    for size in session.sizes.copy_mb:
        source = torch.ones(size * 2**20, dtype=torch.uint8, device=session.device)
        target = torch.empty_like(source)
        work = partial(target.copy_, source)
        seconds = timed(work, session.device, session.sizes.seconds).least
        rates[size] = 2 * source.numel() / seconds
        del source, target, work
        forget(session.device)
    best = max(rates, key=rates.__getitem__)
    return {"rate": rates[best], "size": best, "rates": rates}


def tanh_unit(device: torch.device, dtype: torch.dtype) -> Record:
    """Counted, not measured: of all multiprocessors at the highest clock."""
    clock, source = max_clock(device)
    count = torch.cuda.get_device_properties(device).multi_processor_count
    return {"rate": tanh_rate(count, clock, dtype), "clock_mhz": clock / 1e6, "clock_from": source}


def max_clock(device: torch.device) -> tuple[float, str]:
    """Hertz, and who says so."""
    rate = getattr(torch.cuda.get_device_properties(device), "clock_rate", 0)
    if rate:
        return rate * 1e3, "torch.cuda.get_device_properties"
    field = "clocks.max.sm"
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader,nounits"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    return float(found.stdout.splitlines()[0]) * 1e6, f"nvidia-smi {field}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

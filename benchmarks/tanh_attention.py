"""Tanh attention against the machine's own matrix products, measured in the same run.

    python -m benchmarks.tanh_attention --n 16384 --d 64

Two rulers: the best square product, and the two plain products that the attention consists of, tile
by tile and without the tanh. Counted are 4 n^2 d operations forward and 10 n^2 d backward (five
products), also for who does more. Approximations, which do less, show their speed-up over ``tiled``
instead. On CUDA the hardware's rate of tanh, 16 a clock and multiprocessor (32 in half precision),
is a limit as well: ``of limit`` counts what takes longer, the products or n^2 tanh forward and as
many backward. Rates are of the fastest of the interleaved rounds, which a busy machine disturbs
least.

The input is what RCA sees at first. ``error`` is the relative error of 1024 query rows against
float64, ``to torch`` its ratio to that of plain PyTorch in the same precision. ``extra`` memory is
the peak beyond inputs, output and gradients.
"""

import argparse
import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from benchmarks.attention_input import exact_rows, planted, relative_error, sampled_rows
from benchmarks.measure import Rival, free_memory, interleave, machine, peak_memory, summary
from crane_pyg.ops import tanh_attention
from crane_pyg.ops.attention.tiled import TILE

APPROXIMATIONS = ("linear", "nystrom")
GEMM_SIZES = {"cpu": (1024, 2048), "cuda": (4096, 8192)}
CUDA_TILE = (8192, 8192)
TANH_PER_CLOCK = {torch.float32: 16, torch.bfloat16: 32, torch.float16: 32}


def default_impls(n: int, dtype: torch.dtype, device: torch.device) -> list[str]:
    matrices = 4 * n * n * dtype.itemsize  # what the reference holds in its backward pass
    stored = ["reference"] if matrices < free_memory(device) else []
    fused = ["triton", "triton_approx"] if device.type == "cuda" else []
    return [*stored, "tiled", *fused, *APPROXIMATIONS]


def attention(impl: str, d: int, dtype: torch.dtype, device: torch.device, n: int) -> Rival:
    case = planted(n, d)
    leaves = [x.to(device, dtype, copy=True).requires_grad_() for x in case[:3]]
    return Rival(lambda: tanh_attention(*leaves, impl=impl), leaves)


def square_product(size: int, dtype: torch.dtype, device: torch.device) -> Rival:
    a, b = torch.randn(2, size, size, device=device).to(dtype)
    return Rival(lambda: a @ b)


@torch.no_grad()
def plain_products(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(Q K^T) V in the order of the attention, a tile at a time."""
    rows, columns = CUDA_TILE if query.is_cuda else TILE
    out = torch.zeros(query.size(0), value.size(1), dtype=value.dtype, device=value.device)
    for q, o in zip(query.split(rows), out.split(rows), strict=True):
        for k, v in zip(key.split(columns), value.split(columns), strict=True):
            o.addmm_(q @ k.t(), v)
    return out


def tanh_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Hardware tanh a second; without limit on a CPU, which has no such unit."""
    if device.type != "cuda":
        return math.inf
    gpu = torch.cuda.get_device_properties(device)
    return gpu.multi_processor_count * gpu.clock_rate * 1e3 * TANH_PER_CLOCK[dtype]


def speed(
    part: str, seconds: float, n: int, d: int, gemm: float, plain: float, tanh: float
) -> dict[str, float]:
    """Of the forward pass or in total, of an implementation that looks at every pair."""
    products, num_tanh = {"forward": (4, 1), "total": (14, 2)}[part]
    rate = products * n * n * d / seconds
    record = {"gflops": rate / 1e9, "of_gemm": rate / gemm, "of_products": rate / plain}
    if math.isfinite(tanh):
        limit = max(products * n * n * d / gemm, num_tanh * n * n / tanh)
        record["of_limit"] = limit / seconds
    return record


def accuracy(rival: Rival) -> dict[str, float]:
    query, key, value = (leaf.detach() for leaf in rival.leaves)
    rows = sampled_rows(query.size(0)).to(query.device)
    exact = exact_rows(query[rows], key, value)
    plain = tanh_attention(query[rows], key, value, impl="reference")
    with torch.no_grad():
        error = relative_error(rival.forward()[rows], exact)
    return {"error": error, "error_to_torch": error / relative_error(plain, exact)}


def extra_memory(build: Callable[[int], Rival], n: int, device: torch.device) -> dict[str, float]:
    memory = peak_memory(build, n, device)
    if memory is None:
        return {}
    return {
        "forward": max(0, memory.forward - memory.output) / 2**20,
        "total": max(0, memory.total - memory.results) / 2**20,
    }


def table(records: list[dict[str, Any]], part: str) -> str:
    """For people: the columns' names and formats are those of ``units``."""
    units = {
        "ms": "ms {:.1f}",
        "min_ms": "least {:.1f}",
        "gflops": "GFLOP/s {:,.0f}",
        "of_gemm": "of gemm {:.0%}",
        "of_products": "of products {:.0%}",
        "of_limit": "of limit {:.0%}",
        "speedup": "to tiled {:.2f}x",
        "extra_mb": "extra MB {:.1f}",
    }
    lines = []
    for record in records:
        cells = {part: record["impl"]}
        for key, value in record[part].items():
            name, _, form = units[key].rpartition(" ")
            cells[name] = form.format(value)
        lines.append(cells)
    return pd.DataFrame(lines).fillna("").to_string(index=False)


def measure(args: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """A record for each implementation, and the operations a second of the rulers."""
    n, d, device, dtype = args.n, args.d, args.device, getattr(torch, args.dtype)
    impls = args.impls or default_impls(n, dtype, device)
    builds = {impl: partial(attention, impl, d, dtype, device) for impl in impls}
    extra = {impl: extra_memory(build, n, device) for impl, build in builds.items()}
    rivals = {impl: build(n) for impl, build in builds.items()}
    squares = {f"{size}^3": size for size in args.gemm or GEMM_SIZES[device.type]}
    rulers = {name: square_product(size, dtype, device) for name, size in squares.items()}
    rulers["two products"] = Rival(partial(plain_products, *rivals[impls[0]].leaves))
    costs = interleave(rivals | rulers, args.repeats)
    seconds = {name: summary(runs) for name, runs in costs.items()}

    rates = {name: 2 * size**3 / seconds[name]["forward_min_s"] for name, size in squares.items()}
    gemm, tanh = max(rates.values()), tanh_rate(device, dtype)
    rates["two products"] = 4 * n * n * d / seconds["two products"]["forward_min_s"]
    records = []
    for impl in impls:
        record: dict[str, Any] = {"impl": impl, **accuracy(rivals[impl])}
        for part in ("forward", "total"):
            mine = seconds[impl][f"{part}_min_s"]
            times = {"ms": 1e3 * seconds[impl][f"{part}_s"], "min_ms": 1e3 * mine}
            if impl not in APPROXIMATIONS:
                times |= speed(part, mine, n, d, gemm, rates["two products"], tanh)
            elif "tiled" in seconds:
                times["speedup"] = seconds["tiled"][f"{part}_min_s"] / mine
            if part in extra[impl]:
                times["extra_mb"] = extra[impl][part]
            record[part] = times
        records.append(record)
    return records, rates


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=16384)
    parser.add_argument("--d", type=int, default=64)
    parser.add_argument("--impls", nargs="+", help="all that run on the device by default")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--tf32", action="store_true", help="on CUDA, for products in float32")
    parser.add_argument("--gemm", type=int, nargs="+", help="sizes of the square product")
    parser.add_argument("--repeats", type=int, default=10)
    args = parser.parse_args(argv)
    if args.tf32:
        torch.backends.cuda.matmul.fp32_precision = "tf32"

    records, rates = measure(args)
    where = machine(args.device)
    print(f"Tanh attention, n = m = {args.n:,}, d = {args.d}, {args.dtype}, on {where['machine']}")
    print("\nrulers, GFLOP/s")
    for name, rate in rates.items():
        print(f"{name:>15} {rate / 1e9:,.0f}")
    tanh = tanh_rate(args.device, getattr(torch, args.dtype))
    if math.isfinite(tanh):
        print(f"{'tanh unit':>15} {tanh / 1e9:,.0f} (billion tanh a second)")
    for part in ("forward", "total"):
        print(f"\n{table(records, part)}")
    print("\nerror against float64, and as a multiple of plain PyTorch's")
    for record in records:
        print(f"{record['impl']:>15} {record['error']:.1e} {record['error_to_torch']:>9.3g}")
    line = {
        "benchmark": "tanh_attention",
        "n": args.n,
        "d": args.d,
        "dtype": args.dtype,
        "tf32": args.tf32,
        **where,
        "rulers_gflops": {name: rate / 1e9 for name, rate in rates.items()},
        "tanh_per_s": tanh if math.isfinite(tanh) else None,
        "impls": records,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()

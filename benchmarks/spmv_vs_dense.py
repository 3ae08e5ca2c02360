"""Time and memory against the number of entities: sparse propagation and one round of attention.

    python -m benchmarks.spmv_vs_dense --max-exp 18 --out scalability.png

Measured at powers of two, forward and backward, 64 channels: the sparse product of five libraries
on a random symmetric graph with the stored entries per entity of Amazon Baby (the transpose, where
one can be kept, is not counted), and RCA over two modalities with each implementation of its
attention. Memory is the peak beyond the inputs, output and gradients included, of a step in a fresh
process (CUDA: of the allocator). A method ends where the next size is predicted, by its last
growth, to pass ``--limit`` seconds or four fifths of the free memory. Slopes are those of log-log
fits to the upper half of each method's sizes.
"""

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.typing import WITH_TORCH_SPARSE, SparseTensor
from torch_geometric.utils import to_torch_csr_tensor, to_undirected

from benchmarks.measure import (
    Rival,
    free_memory,
    interleave,
    machine,
    peak_memory,
    summary,
    upper_slope,
)
from crane_pyg.nn.attention import RecursiveCrossModalAttention
from crane_pyg.ops import csr_graph, spmm

CHANNELS = 64
LABELS = {
    "scatter": "SpMM: gather + index_add",
    "torch_csr": "SpMM: torch CSR",
    "edge_index": "SpMM: PyG EdgeIndex",
    "sparse_tensor": "SpMM: torch_sparse",
    "spmm": "SpMM: crane_pyg",
    "reference": "RCA: reference",
    "tiled": "RCA: tiled",
    "triton": "RCA: triton",
    "nystrom": "RCA: Nyström",
    "linear": "RCA: linear",
}
PRODUCTS = tuple(LABELS)[:5]


def default_methods(device: torch.device) -> list[str]:
    absent = {"triton"} if device.type != "cuda" else set()
    return [m for m in LABELS if m not in absent and (m != "sparse_tensor" or WITH_TORCH_SPARSE)]


def build(method: str, degree: float, num_rounds: int, device: torch.device, n: int) -> Rival:
    torch.manual_seed(0)
    if method in PRODUCTS:
        edge_index = to_undirected(torch.randint(n, (2, round(n * degree / 2))), num_nodes=n)
        weight = torch.rand(edge_index.size(1), device=device)
        x = torch.randn(n, CHANNELS, device=device).requires_grad_()
        return product(method, edge_index.to(device), weight, x)
    names = ("visual", "textual")
    rca = RecursiveCrossModalAttention(dict.fromkeys(names, CHANNELS), num_rounds, impl=method)
    rca.to(device)
    xs = {m: torch.randn(n, CHANNELS, device=device).requires_grad_() for m in names}
    return Rival(lambda: rca(xs), [*xs.values(), *rca.parameters()])


def product(method: str, edge_index: Tensor, weight: Tensor, x: Tensor) -> Rival:
    """Of a square matrix with the stored entries of both directions, and x ``[n, d]``."""
    torch.sparse.check_sparse_tensor_invariants.disable()  # the default, of which torch warns
    (src, dst), n = edge_index, x.size(0)
    if method == "scatter":
        return Rival(lambda: _scatter(src, dst, weight, x), [x])
    if method == "torch_csr":
        csr = to_torch_csr_tensor(edge_index.flip(0), weight, (n, n))
        return Rival(lambda: csr @ x, [x])
    if method == "edge_index":
        index, order = EdgeIndex(edge_index.flip(0), sparse_size=(n, n)).sort_by("row")
        sorted_weight = weight[order]
        index.fill_cache_()
        return Rival(lambda: index.matmul(x, input_value=sorted_weight), [x])
    if method == "sparse_tensor":
        sparse = SparseTensor(row=dst, col=src, value=weight, sparse_sizes=(n, n)).fill_cache_()
        return Rival(lambda: sparse.matmul(x), [x])
    graph = csr_graph(edge_index, weight, size=(n, n))
    return Rival(lambda: spmm(graph, x), [x])


def _scatter(src: Tensor, dst: Tensor, weight: Tensor, x: Tensor) -> Tensor:
    return torch.zeros_like(x).index_add(0, dst, weight.unsqueeze(1) * x[src])


def may_grow(runs: Sequence[dict[str, Any]], limit: float, memory: float) -> bool:
    """Whether twice the last size is predicted to stay within seconds and bytes."""
    for key, bound in (("total_s", limit), ("total_bytes", memory)):
        last = runs[-1][key]
        before = runs[-2][key] if len(runs) > 1 else 0.0  # memory may be too little to be seen
        growth = max(2.0, last / before) if before > 0 else 4.0
        if last * growth > bound:
            return False
    return True


def measure(
    sizes: Sequence[int], builds: dict[str, partial], device: torch.device, args: argparse.Namespace
) -> dict[str, list[dict[str, Any]]]:
    """By method, a record for each size."""
    runs: dict[str, list[dict[str, Any]]] = {method: [] for method in builds}
    growing = list(builds)
    for n in sizes:
        memory = {method: peak_memory(builds[method], n, device) for method in growing}
        rivals = {method: builds[method](n) for method in growing}
        for method, costs in interleave(rivals, args.repeats).items():
            peak = memory[method]
            record = {
                "n": n,
                **summary(costs),
                "forward_bytes": peak.forward if peak else 0,
                "total_bytes": peak.total if peak else 0,
            }
            record["backward_s"] = record["total_s"] - record["forward_s"]
            runs[method].append(record)
        del rivals
        print(table(n, {method: runs[method][-1] for method in growing}), flush=True)
        free = 0.8 * free_memory(device)
        growing = [method for method in growing if may_grow(runs[method], args.limit, free)]
    return runs


def table(n: int, records: dict[str, dict[str, Any]]) -> str:
    lines = [
        {
            f"n = {n:,}": LABELS[method],
            "forward ms": f"{1e3 * record['forward_s']:.2f}",
            "backward ms": f"{1e3 * record['backward_s']:.2f}",
            "forward MB": f"{record['forward_bytes'] / 2**20:.1f}",
            "total MB": f"{record['total_bytes'] / 2**20:.1f}",
        }
        for method, record in records.items()
    ]
    return pd.DataFrame(lines).to_string(index=False) + "\n"


def slopes(runs: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, float | None]]:
    return {
        method: {
            name: upper_slope([r["n"] for r in records], [r[key] for r in records])
            for name, key in (("time", "total_s"), ("memory", "total_bytes"))
        }
        for method, records in runs.items()
    }


def draw(runs: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """The paper's Figure 7, over entities: time and memory, with both references dashed."""
    from benchmarks.figure import COLORS, MARKERS, growth_lines, panels

    parts = (
        ("total_s", 1.0, "time, forward + backward [s]"),
        ("total_bytes", 2**20, "peak memory [MB]"),
    )
    with panels(path, 2, (7.0, 3.9)) as (figure, axes):
        for axis, (key, unit, ylabel), title in zip(axes, parts, "ab", strict=True):
            for method, records in runs.items():
                sparse = method in PRODUCTS
                index = PRODUCTS.index(method) if sparse else list(LABELS).index(method) - 5
                axis.plot(
                    [record["n"] for record in records],
                    [record[key] / unit for record in records],
                    color=COLORS[index],
                    marker=MARKERS[index],
                    markerfacecolor="white" if sparse else COLORS[index],
                    label=LABELS[method],
                )
            growth_lines(axis, [[(r["n"], r[key] / unit) for r in rs] for rs in runs.values()])
            axis.set_xscale("log", base=2)
            axis.set(xlabel="entities", ylabel=ylabel, title=f"({title})")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--min-exp", type=int, default=10, help="entities from 2 to this power")
    parser.add_argument("--max-exp", type=int, default=18)
    parser.add_argument("--methods", nargs="+", choices=LABELS, help="all that run by default")
    parser.add_argument("--degree", type=float, default=9.0, help="stored entries per entity")
    parser.add_argument("--rounds", type=int, default=1, help="of the attention")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of a step")
    parser.add_argument("--repeats", type=int, default=10, help="of each step, at most")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--out", type=Path, help="PNG")
    args = parser.parse_args(argv)

    methods = args.methods or default_methods(args.device)
    builds = {m: partial(build, m, args.degree, args.rounds, args.device) for m in methods}
    sizes = [2**exponent for exponent in range(args.min_exp, args.max_exp + 1)]
    runs = measure(sizes, builds, args.device, args)
    exponents = slopes(runs)
    print("exponents of n, upper half of the sizes")
    for method, exponent in exponents.items():
        values = "".join(
            f"  {name} {'-' if value is None else f'{value:.2f}'}"
            for name, value in exponent.items()
        )
        print(f"{LABELS[method]:>26}{values}")
    if args.out is not None:
        draw(runs, args.out)
    record = {
        "benchmark": "spmv_vs_dense",
        "degree": args.degree,
        "num_rounds": args.rounds,
        **machine(args.device),
        "slopes": exponents,
        "runs": runs,
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()

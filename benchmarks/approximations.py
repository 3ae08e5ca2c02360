"""Error against cost of approximate tanh attention: the library's, and what it does not keep.

    python -m benchmarks.approximations --min-exp 12 --max-exp 18 --out approximations.png

The input is what RCA sees in its first round: planted clusters through a fresh module, or the item
graph of CRANE on ``--data``. Errors are relative, in the Frobenius norm, on 1024 queries against
exact float64: of the output O, of F = ReLU(O W_a), and for the library's two of the gradients of
Q, K and V at a random gradient of F. Times are medians of interleaved rounds, at the first logit
scale. ``k-means`` replaces keys by the centres of their clusters. The oracle chooses blocks by
their true residual and is not charged for it: a bound for hashing and all other such selections.
"""

import argparse
import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.attention_input import Case, cases, exact_rows, relative_error, sampled_rows
from benchmarks.attention_schemes import IN_LIBRARY, NAMES, Attention, Scheme, schemes, tiled
from benchmarks.measure import Rival, interleave, machine, summary, upper_slope
from crane_pyg.ops.attention import nystrom as nystrom_module

MAX_GRADIENT_SIZE = 1 << 13


def gradients(case: Case, attention: Attention, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Of Q, K and V, for a gradient of F that is drawn once."""
    leaves = [x.to(dtype, copy=True).requires_grad_() for x in case[:3]]
    out = F.relu(attention(*leaves) @ case.weight.to(dtype).t())
    grad_out = torch.randn(out.shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    return torch.autograd.grad(out, leaves, grad_out)


def errors(case: Case, found: list[Scheme]) -> list[dict[str, float]]:
    rows = sampled_rows(case.query.size(0))
    weight = case.weight.double().t()
    exact = exact_rows(case.query[rows], *case[1:3])
    with_gradients = case.key.size(0) <= MAX_GRADIENT_SIZE
    exact_gradients = gradients(case, tiled, torch.float64) if with_gradients else ()
    measured = []
    for scheme in found:
        out = scheme.attention(*case[:3])[rows].double()
        error = {
            "error_o": relative_error(out, exact),
            "error_f": relative_error(F.relu(out @ weight), F.relu(exact @ weight)),
        }
        if with_gradients and scheme.name in IN_LIBRARY:
            grads = gradients(case, scheme.attention, torch.float32)
            for part, grad, truth in zip("qkv", grads, exact_gradients, strict=True):
                error[f"error_d{part}"] = relative_error(grad, truth)
        measured.append(error)
    return measured


def times(case: Case, found: list[Scheme], rounds: int, with_tiled: bool) -> list[dict[str, float]]:
    """Seconds of each scheme, and how many times faster than ``tiled`` its forward pass is."""
    inputs = case[:3]
    leaves = [x.clone().requires_grad_() for x in inputs]
    rivals = {
        str(index): Rival(partial(scheme.attention, *leaves), leaves)
        if scheme.name in IN_LIBRARY
        else Rival(partial(scheme.attention, *inputs))
        for index, scheme in enumerate(found)
    }
    if with_tiled:
        rivals["tiled"] = Rival(partial(tiled, *inputs))
    seconds = {name: summary(costs) for name, costs in interleave(rivals, rounds, 2.0).items()}
    measured = []
    for index, scheme in enumerate(found):
        mine = seconds[str(index)]
        record = {"forward_s": mine["forward_s"]}
        if scheme.name in IN_LIBRARY:
            record["total_s"] = mine["total_s"]
        if with_tiled:
            record["tiled_s"] = seconds["tiled"]["forward_s"]
            record["speedup"] = record["tiled_s"] / record["forward_s"]
        measured.append(record)
    return measured


def size_label(size: float | None) -> str:
    if size is None:
        return ""
    return f"{size:.0%}" if size < 1 else f"{size:.0f}"


def table(records: list[dict[str, Any]]) -> str:
    units = {
        "scheme": ("scheme", "{}"),
        "size": ("size", "{}"),
        "forward_s": ("forward ms", "{:.1f}"),
        "total_s": ("with backward ms", "{:.1f}"),
        "speedup": ("to tiled", "{:.1f}x"),
        "error_o": ("error O", "{:.1e}"),
        "error_f": ("error F", "{:.1e}"),
        "error_dq": ("dQ", "{:.1e}"),
        "error_dk": ("dK", "{:.1e}"),
        "error_dv": ("dV", "{:.1e}"),
    }
    lines = []
    for record in records:
        line = {}
        for key, (name, form) in units.items():
            if key in record:
                value = 1e3 * record[key] if key.endswith("_s") else record[key]
                line[name] = size_label(value) if key == "size" else form.format(value)
        lines.append(line)
    order = [name for name, _ in units.values()]
    frame = pd.DataFrame(lines).fillna("")
    return frame[[name for name in order if name in frame]].to_string(index=False)


def slopes(records: list[dict[str, Any]]) -> dict[str, float | None]:
    """Of the forward times against n, by scheme and size."""
    series: dict[str, tuple[list[int], list[float]]] = {}
    for record in records:
        if "forward_s" in record:
            name = f"{record['scheme']} {size_label(record['size'])}".rstrip()
            ns, seconds = series.setdefault(name, ([], []))
            ns.append(record["n"])
            seconds.append(record["forward_s"])
    return {name: upper_slope(ns, seconds) for name, (ns, seconds) in series.items()}


def draw(records: list[dict[str, Any]], path: Path) -> None:
    """Error of F against time where every scheme ran; below and left of the front is nothing."""
    from benchmarks.figure import COLORS, GREY, MARKERS, panels

    with_all = [record["n"] for record in records if record["scheme"] == NAMES[-1]]
    n = max(with_all, default=records[-1]["n"])
    timed = [r for r in records if r["n"] == n and "forward_s" in r]
    records = [record for record in timed if record["input"] == timed[0]["input"]]
    with panels(path, 1, (3.5, 3.7)) as (figure, (axis,)):
        for name, color, marker in zip(NAMES, COLORS, MARKERS, strict=False):
            mine = [record for record in records if record["scheme"] == name]
            x = [1e3 * record["forward_s"] for record in mine]
            y = [record["error_f"] for record in mine]
            axis.plot(x, y, color=color, marker=marker, label=name)
            for record, at in zip(mine, zip(x, y, strict=True), strict=True):
                text = size_label(record["size"])
                place = (
                    {"xytext": (-3, -8), "ha": "right"} if name == "nystrom" else {"xytext": (3, 4)}
                )
                axis.annotate(
                    text, at, textcoords="offset points", fontsize=6, color=color, **place
                )
        front = _pareto([(1e3 * r["forward_s"], r["error_f"]) for r in records])
        axis.step(
            *zip(*front, strict=True),
            where="post",
            color=GREY,
            lw=5,
            alpha=0.25,
            zorder=0,
            label="Pareto front",
        )
        if "tiled_s" in records[0]:
            axis.axvline(1e3 * records[0]["tiled_s"], color=GREY, ls="--", label="exact (tiled)")
        axis.set_xlabel("time of the forward pass [ms]")
        axis.set_ylabel("relative error of $F$")
        axis.set_title(
            f"{records[0]['input']}, $n$ = {n:,}\nat each point: landmarks, or blocks kept"
        )
        axis.margins(0.1, 0.12)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)


def _pareto(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    front: list[tuple[float, float]] = []
    for x, y in sorted(points):
        if not front or y < front[-1][1]:
            front.append((x, y))
    return front


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """A record for every input, logit scale and scheme."""
    records: list[dict[str, Any]] = []
    tiled_s = 0.0
    sizes = [2**exponent for exponent in range(args.min_exp, args.max_exp + 1)]
    for name, case in cases(args.data, sizes):
        n = case.key.size(0)
        for logit_scale in args.logit_scale:
            scaled = case._replace(key=logit_scale * case.key)
            found = schemes(scaled)
            measured = errors(scaled, found)
            if logit_scale == args.logit_scale[0]:
                timed = times(scaled, found, args.repeats, with_tiled=4 * tiled_s <= args.limit)
                tiled_s = timed[0].get("tiled_s", math.inf)
                measured = [a | b for a, b in zip(measured, timed, strict=True)]
            shared = {"input": name, "n": n, "logit_scale": logit_scale}
            rows = [
                shared | {"scheme": scheme.name, "size": scheme.size} | row
                for scheme, row in zip(found, measured, strict=True)
            ]
            print(f"\n{name}, n = {n:,}, logits x {logit_scale:g}\n{table(rows)}", flush=True)
            records += rows
    return records


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder or synthetic preset, instead of planted clusters")
    parser.add_argument("--min-exp", type=int, default=12, help="n from 2 to this power")
    parser.add_argument("--max-exp", type=int, default=18)
    parser.add_argument("--logit-scale", type=float, nargs="+", default=[1.0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of tiled, then without")
    parser.add_argument("--out", type=Path, help="PNG of error against time")
    args = parser.parse_args(argv)

    with patch.object(nystrom_module, "NUM_LANDMARKS", nystrom_module.NUM_LANDMARKS):
        records = measure(args)
    exponents = slopes(records) if args.data is None else {}
    if any(exponents.values()):
        print("\nforward time grows as n to the power of (upper half of the sizes)")
        for label, exponent in exponents.items():
            print(f"{label:>24} {exponent:.2f}")
    if args.out is not None:
        draw(records, args.out)
    line = {
        "benchmark": "approximations",
        "data": args.data and Path(args.data).name,
        **machine(torch.device("cpu")),
        "slopes": exponents,
        "runs": records,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()

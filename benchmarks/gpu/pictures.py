"""Pictures of what was measured: attention, sparse products, epochs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from benchmarks.figure import COLORS, GREY, MARKERS, canvas
from benchmarks.gpu.epochs import PARTS
from benchmarks.gpu.limits import FORWARD, TRAINING, product_rate
from benchmarks.gpu.session import Record
from benchmarks.gpu.tables import measured

PRECISION_COLORS = dict(zip(("bfloat16", "tf32", "float32"), COLORS))
IMPL_STYLES = {"triton": ("-", "o"), "triton_approx": ("--", "s"), "sdpa flash": ("-.", "^")}
WORKS = {"forward": FORWARD, "training": TRAINING}
TITLES = {"forward": "forward", "training": "forward and backward"}
SPARSE_NAMES = {
    "spmm": "crane_pyg",
    "torch_csr": "torch CSR",
    "edge_index": "PyG EdgeIndex",
    "sparse_tensor": "torch_sparse",
    "scatter": "index_add",
}
LIBRARIES = tuple(SPARSE_NAMES)


def draw(records: Sequence[Record], folder: Path) -> None:
    """Each picture for which there is anything."""
    attention = [r for part in ("attention", "rivals") for r in measured(records, part)]
    attention = [
        r
        for r in attention
        if r["impl"] in IMPL_STYLES
        and r["precision"] in PRECISION_COLORS
        and r.get("heads", 1) == 1
    ]
    rates = {r["ruler"]: r["rate"] for r in measured(records, "rulers")}
    if attention:
        draw_attention(attention, rates, folder / "attention.png")
    if sparse := [r for r in measured(records, "sparse") if r["dtype"] == "float32"]:
        draw_sparse(sparse, rates["copy"], folder / "sparse.png")
    if epochs := measured(records, "epochs"):
        draw_epochs(epochs, folder / "epochs.png")


def draw_attention(records: Sequence[Record], rates: dict[str, float], path: Path) -> None:
    """TFLOP/s over rows: a panel for each width and direction, grey lines for the limits."""
    widths = sorted({r["d"] for r in records})
    with canvas(path, (7.0, 2.6 * len(widths) + 0.7), (len(widths), 2), sharex=True) as found:
        figure, axes = found
        for axis, (d, part) in zip(axes, ((d, part) for d in widths for part in WORKS)):
            own = [r for r in records if r["d"] == d]
            for precision, color in PRECISION_COLORS.items():
                for impl, (line, marker) in IMPL_STYLES.items():
                    points = sorted(
                        (r["n"], r[f"{part}_tflops"])
                        for r in own
                        if r["impl"] == impl and r["precision"] == precision
                    )
                    if points:
                        axis.plot(*zip(*points), line, marker=marker, color=color)
                limit_line(axis, precision, color, part, d, rates)
            axis.set(xscale="log", yscale="log", title=f"d = {d}, {TITLES[part]}")
            axis.set_xticks(sorted({r["n"] for r in own}))
            axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            axis.xaxis.set_minor_locator(NullLocator())
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_minor_locator(NullLocator())
            axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        for axis in axes[::2]:
            axis.set_ylabel("TFLOP/s")
        for axis in axes[-2:]:
            axis.set_xlabel("queries and keys")
        attention_legend(figure, records)


def limit_line(
    axis: Axes, precision: str, color: str, part: str, d: int, rates: dict[str, float]
) -> None:
    tanh = rates.get("packed tanh" if precision == "bfloat16" else "tanh", float("inf"))
    if precision in rates:
        work = WORKS[part]
        limit = work.total_flops(1, 1, d) / work.seconds(
            1, 1, d, product_rate(precision, rates), tanh
        )
        axis.axhline(limit / 1e12, color=color, linewidth=0.9, linestyle=(0, (1, 3)), zorder=0)


def attention_legend(figure: Figure, records: Sequence[Record]) -> None:
    present = {r["precision"] for r in records}, {r["impl"] for r in records}
    handles: list[Any] = [
        Patch(color=c, label=p) for p, c in PRECISION_COLORS.items() if p in present[0]
    ]
    for impl, (line, marker) in IMPL_STYLES.items():
        if impl in present[1]:
            handles.append(_line(line, marker, impl.replace("sdpa flash", "softmax, flash")))
    handles.append(_line((0, (1, 3)), "", "limit of products and tanh"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)


def _line(style: Any, marker: str, label: str) -> Line2D:
    return Line2D([], [], linestyle=style, marker=marker, color=GREY, label=label)


def draw_sparse(records: Sequence[Record], copy: float, path: Path) -> None:
    """Counted GB/s on each graph, by its size; dashed, the bandwidth of a copy."""
    sizes = sorted({(r["entries"], r["preset"]) for r in records})
    place = {preset: number for number, (_, preset) in enumerate(sizes)}
    with canvas(path, (7.0, 3.4), (1, 2), sharey=True) as (figure, axes):
        for axis, part in zip(axes, WORKS, strict=True):
            for number, method in enumerate(LIBRARIES):
                points = sorted(
                    (place[r["preset"]], r[f"{part}_gb_s"])
                    for r in records
                    if r["method"] == method
                )
                if points:
                    label = SPARSE_NAMES[method]
                    color, marker = COLORS[number], MARKERS[number]
                    axis.plot(*zip(*points), color=color, marker=marker, label=label)
            axis.axhline(copy / 1e9, linestyle="--", color=GREY, label="copy", zorder=0)
            axis.set(yscale="log", title=TITLES[part])
            axis.set_xticks(range(len(sizes)), [f"{name}\n{count:,}" for count, name in sizes])
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_minor_locator(NullLocator())
            axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        axes[0].set_ylabel("GB/s, a row gathered for each entry")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)


def draw_epochs(records: Sequence[Record], path: Path) -> None:
    """Stacked seconds of each model's epoch, a panel for each set and batch size."""
    groups: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        groups.setdefault((record["preset"], record["batch_size"]), []).append(record)
    rows = -(-len(groups) // 2)
    with canvas(path, (7.0, 1.7 * rows + 0.6), (rows, 2)) as (figure, axes):
        for axis, ((preset, batch), own) in zip(axes, groups.items()):
            labels = [r["model"] for r in own]
            left = [0.0] * len(own)
            for part, color in zip(PARTS, COLORS):
                seconds = [r[f"{part}_s"] for r in own]
                axis.barh(labels, seconds, left=left, color=color, label=part, height=0.7)
                left = [a + b for a, b in zip(left, seconds)]
            axis.set(title=f"{preset}, batches of {batch:,}", xlabel="seconds of an epoch")
            axis.invert_yaxis()
            axis.grid(axis="y", visible=False)
        for axis in axes[len(groups) :]:
            axis.set_visible(False)
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=6, frameon=False)

"""Figure 7: time and memory of an epoch against the number of items, CRANE beside FREEDOM.

Each size is drawn and measured in a fresh process: after a step to warm up, what begins an epoch
(its batches are drawn then), the epoch's first step (where CRANE rebuilds its item graph) and the
median of some more, from which the epoch is extrapolated. Memory is the peak of the process beyond
its libraries: features, model and training. ``--data`` has no say in this.
"""

import logging
import statistics
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator, StrMethodFormatter

from benchmarks.figure import COLORS, COLUMN, MARKERS, growth_lines, panels
from benchmarks.measure import TimedSampler, free_memory, fresh_process, machine, slope
from benchmarks.paper.job import Job
from crane_pyg.datasets import SyntheticMultimodal
from crane_pyg.datasets.synthetic import PRESETS
from crane_pyg.experiments import construct_model, markdown_table
from crane_pyg.experiments.folder import claim_folder
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.seals import read_record, write_record
from crane_pyg.training import TRAINING_DEFAULTS, build_optimizer, train_epoch
from crane_pyg.training.identity import VERSIONS
from crane_pyg.training.memory import peak_memory_mb, reset_peak_memory

logger = logging.getLogger(__name__)

RIVALS: dict[str, tuple[str, dict[str, Any]]] = {
    "CRANE, exact": ("crane", {"impl": "auto"}),
    "CRANE, Nyström": ("crane", {"impl": "nystrom"}),
    "FREEDOM": ("freedom", {}),
}
RIVAL_COLORS = (COLORS[1], COLORS[4], COLORS[0])  # CRANE's and FREEDOM's in Figure 8 too
STEPS = 8
FEATURES_BYTES = 4 * (4096 + 384)  # of an item, at the widest


def run(job: Job) -> None:
    path = job.folder / "points.json"
    claim_folder(job.folder / "figure7.json", {**machine(torch.device("cpu")), **VERSIONS})
    points = read_record(path)["points"] if path.exists() else []
    skipped = []
    sizes = sorted(job.args.sizes, key=lambda name: PRESETS[name].num_items)
    logger.info("%s", announcement(sizes, job.args.limit))
    for size in sizes:
        for label, rival in RIVALS.items():
            if any((point["model"], point["size"]) == (label, size) for point in points):
                continue
            if reason := too_much(label, size, points, job.args.limit):
                skipped.append(f"- {label} at the size of {size}: {reason}")
                continue
            logger.info("%s at the size of %s%s", label, size, predicted(label, size, points))
            with fresh_process([__name__]) as pool:
                threads = torch.get_num_threads()
                point = pool.submit(measure, size, *rival, threads).result()
            points.append({"model": label, "size": size, **machine(torch.device("cpu")), **point})
            write_record(path, {"points": points})
    points = [point for point in points if point["size"] in job.args.sizes]
    table = pd.DataFrame(points)
    job.write(text(table, skipped), table)
    draw(table, job.folder / "figure.png")


def announcement(sizes: list[str], limit: float) -> str:
    """What is about to be measured, and what would make it shorter."""
    large = f"{sizes[-1]} with {entities(sizes[-1]):,} entities"
    return (
        f"{len(RIVALS)} models are measured at {len(sizes)} sizes, in a process each; of --data "
        f"nothing is read. Exact attention takes time with the square of the entities, up to "
        f"{large}; --sizes {sizes[0]}, or a --limit below {limit:g} s for one of them, makes it "
        f"shorter"
    )


def predicted(label: str, size: str, points: list[dict[str, Any]]) -> str:
    """How long a size will take at most, judged by the one before; nothing for the first."""
    smaller = [point for point in points if point["model"] == label]
    if not smaller:
        return ""
    return f", {growth(smaller[-1], size) * smaller[-1]['measured_s']:.0f} s at most"


def growth(point: dict[str, Any], size: str) -> float:
    """How much longer a size takes than one that is measured, were time quadratic."""
    return (entities(size) / entities(point["size"])) ** 2


def too_much(label: str, size: str, points: list[dict[str, Any]], limit: float) -> str:
    """Why a size is not measured; time is predicted to grow with the square of the entities."""
    needed = 4 * PRESETS[size].num_items * FEATURES_BYTES
    if needed > free_memory(torch.device("cpu")):
        return f"drawing its features takes {needed / 2**30:.1f} GB"
    smaller = [point for point in points if point["model"] == label]
    if smaller and smaller[-1]["measured_s"] * growth(smaller[-1], size) > limit:
        return f"more than {limit:g} s are predicted"
    return ""


def entities(size: str) -> int:
    return PRESETS[size].num_users + PRESETS[size].num_items


def measure(size: str, model: str, settings: dict[str, Any], threads: int) -> dict[str, Any]:
    """Of one rival at one size; runs in a process that did nothing else."""
    torch.set_num_threads(threads)
    device = torch.device("cpu")
    before = peak_memory_mb(device)
    data = SyntheticMultimodal(size)[0]
    reset_peak_memory(device)
    start = time.perf_counter()
    net = construct_model(model, data, settings, 0)
    optimizer = build_optimizer(net, TRAINING_DEFAULTS.lr)
    train_epoch(net, data, TimedSampler(data, TRAINING_DEFAULTS.batch_size, 1), optimizer)
    sampler = TimedSampler(data, TRAINING_DEFAULTS.batch_size, 1 + STEPS)
    begin = time.perf_counter()
    train_epoch(net, data, sampler, optimizer)
    began = sampler.started - begin
    first, later = sampler.seconds[0], statistics.median(sampler.seconds[1:])
    steps = -(-data[USER_TO_ITEM].num_edges // TRAINING_DEFAULTS.batch_size)
    return {
        "users": data["user"].num_nodes,
        "items": data["item"].num_nodes,
        "steps": steps,
        "begin_s": began,
        "first_step_s": first,
        "step_s": later,
        "epoch_s": began + first + later * (steps - 1),
        "peak_memory_mb": peak_memory_mb(device) - before,
        "measured_s": time.perf_counter() - start,
    }


def text(table: pd.DataFrame, skipped: list[str]) -> str:
    lines = table[["model", "size", "users", "items", "steps"]].astype(object)
    for column, form in (("first_step_s", "{:.2f}"), ("step_s", "{:.3f}"), ("epoch_s", "{:.1f}")):
        lines[f"{column.removesuffix('_s').replace('_', ' ')}, s"] = table[column].map(form.format)
    lines["peak MB"] = table["peak_memory_mb"].map("{:.0f}".format)
    parts = [
        f"Synthetic sets of the paper's sizes and feature widths, {table['threads'].iloc[0]} "
        f"thread(s) of {table['machine'].iloc[0]}. An epoch is extrapolated from its beginning, "
        f"its first step and {STEPS} others.",
        markdown_table(lines),
    ]
    exponents = []
    for label, own in table.groupby("model", sort=False):
        values = {
            name: slope(own["items"].tolist(), own[key].tolist())
            for name, key in (("time", "epoch_s"), ("memory", "peak_memory_mb"))
        }
        words = [f"{name} {value:.2f}" for name, value in values.items() if value is not None]
        if words:
            exponents.append(f"{label} {', '.join(words)}")
    if exponents:
        parts.append(f"Exponents of the items, over all sizes measured: {'; '.join(exponents)}.")
    if skipped:
        parts.append("\n".join(["Not measured:\n", *skipped]))
    return "\n\n".join(parts)


def draw(table: pd.DataFrame, path: Path) -> None:
    parts = (("epoch_s", "seconds per epoch"), ("peak_memory_mb", "peak memory [MB]"))
    with panels(path, 2, (COLUMN, 2.1)) as (figure, axes):
        for axis, (key, ylabel), letter in zip(axes, parts, "ab", strict=True):
            groups = list(table.groupby("model", sort=False))
            for (label, own), color, marker in zip(groups, RIVAL_COLORS, MARKERS):
                axis.plot(own["items"], own[key], color=color, marker=marker, label=label)
            growth_lines(axis, [list(zip(own["items"], own[key])) for _, own in groups])
            axis.set(xlabel=f"items\n({letter})", ylabel=ylabel)
            axis.xaxis.set_major_formatter(EngFormatter(sep=""))
            axis.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            for side in (axis.xaxis, axis.yaxis):
                side.set_major_locator(LogLocator(subs=(1, 2, 5)))
                side.set_minor_locator(NullLocator())
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False)

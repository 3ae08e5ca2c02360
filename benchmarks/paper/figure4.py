"""Figure 4: attention beside static ways to fuse the modalities."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.figure import COLORS, COLUMN, canvas
from benchmarks.paper.job import Job, done, score_table, scores, tidy
from crane_pyg.datasets import modalities

EARLY_AND_LATE = {
    "CRANE-C": ("projected", "concatenation of the projected modalities"),
    "CRANE-S": ("sum", "sum of the projected modalities"),
    "CRANE-A": ("mean", "mean of the k-nearest-neighbour graphs of the projected modalities"),
}


def run(job: Job) -> None:
    variants: dict[str, dict[str, Any]] = {}
    what = {}
    for m in modalities(job.data):
        variants[f"CRANE-{m}"] = {"only_modalities": [m], "fusion": "projected"}
        what[f"CRANE-{m}"] = f"{m} alone, projected"
    for label, (fusion, words) in EARLY_AND_LATE.items():
        variants[label], what[label] = {"fusion": fusion}, words
    variants["CRANE"], what["CRANE"] = {}, "recursive cross-modal attention"
    runs = job.train({label: ("crane", own) for label, own in variants.items()}, job.args.seeds)
    table = score_table(runs, what, {label: "CRANE" for label in what if label != "CRANE"})
    notes = (
        "All start from the same projection, the features' singular vectors, learn it as CRANE "
        "does and weigh the modalities as it does. The mean of the similarity matrices, taken "
        "before the neighbours are chosen, would be the concatenation: inner products of "
        "concatenated unit rows are sums of cosines."
    )
    job.write(f"{job.head(job.args.seeds)}\n\n{table}\n\n{notes}", tidy(runs))
    draw(scores(done(runs)), job.folder / "figure.png")


def draw(frames: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Means and deviations as points: their axes need not start at zero, as bars would."""
    labels = list(frames)
    with canvas(path, (COLUMN, 0.55 + 0.2 * len(labels)), (1, 2), sharey=True) as (_, axes):
        for axis, metric in zip(axes, ("Recall@20", "NDCG@20"), strict=True):
            for place, label in enumerate(labels):
                column = frames[label][metric]
                color = COLORS[1] if label == "CRANE" else COLORS[0]
                spread = column.std() if len(column) > 1 else None
                axis.errorbar(column.mean(), place, xerr=spread, fmt="o", color=color, capsize=2)
            if "CRANE" in frames:
                mean = frames["CRANE"][metric].mean()
                axis.axvline(mean, color=COLORS[1], linewidth=0.6, zorder=0)
            axis.set_xlabel(metric)
            axis.locator_params(axis="x", nbins=4)
            axis.grid(axis="y", visible=False)
            axis.tick_params(axis="y", length=0)
        axes[0].set_yticks(range(len(labels)), labels)
        axes[0].set_ylim(len(labels) - 0.5, -0.5)  # the first on top

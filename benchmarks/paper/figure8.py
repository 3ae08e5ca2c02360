"""Figure 8: validation NDCG@20 against epochs and against seconds, CRANE beside FREEDOM."""

from pathlib import Path

import pandas as pd

from benchmarks.figure import COLORS, COLUMN, canvas
from benchmarks.paper.job import Job, done
from crane_pyg.experiments import markdown_failures, markdown_table

METRIC = "NDCG@20"
NEAR = 0.99  # of a run's best score, where its climb is as good as over
MODELS = {"CRANE": ("crane", {}), "FREEDOM": ("freedom", {})}


def run(job: Job) -> None:
    runs = job.train(MODELS, job.args.seeds)
    curves = pd.concat([curve(job, run) for run in done(runs)])
    lines = [summarise(label, own) for label, own in curves.groupby("label", sort=False)]
    parts = [job.head(job.args.seeds, f"validation {METRIC}"), markdown_table(pd.DataFrame(lines))]
    parts.append(
        f"Medians over the seeds, of the epochs until a run's best and until {NEAR:.0%} of it, and "
        "of the seconds that took: training alone, on a machine that others may have used too."
    )
    if lost := markdown_failures(runs):
        parts.append("\n".join(["Failed:\n", *lost]))
    job.write("\n\n".join(parts), curves)
    draw(curves, job.folder / "figure.png")


def curve(job: Job, run: dict) -> pd.DataFrame:
    """Of one run, a line per epoch that was validated; seconds of training up to it."""
    history = job.history(run)
    history["seconds"] = history["seconds"].cumsum()
    history.insert(0, "label", run["label"])
    history.insert(1, "seed", run["seed"])
    return history.dropna(subset=METRIC)[["label", "seed", "epoch", "seconds", METRIC]]


def summarise(label: str, curves: pd.DataFrame) -> dict[str, str]:
    rows = []
    for _, own in curves.groupby("seed"):
        best = own.loc[own[METRIC].idxmax()]
        near = own[own[METRIC] >= NEAR * best[METRIC]].iloc[0]
        rows.append(
            {
                "best": best[METRIC],
                "epochs to best": best["epoch"],
                "s to best": best["seconds"],
                f"epochs to {NEAR:.0%}": near["epoch"],
                f"s to {NEAR:.0%}": near["seconds"],
                "s / epoch": own["seconds"].iloc[-1] / own["epoch"].iloc[-1],
            }
        )
    median = pd.DataFrame(rows).median()
    text = {name: f"{value:.3g}" for name, value in median.items()}
    return {"model": label, "seeds": str(len(rows))} | text | {"best": f"{median['best']:.4f}"}


def draw(curves: pd.DataFrame, path: Path) -> None:
    """A thin line per seed; a dot where its best epoch is."""
    with canvas(path, (COLUMN, 1.9), (1, 2), sharey=True) as (figure, axes):
        for axis, x, letter in zip(axes, ("epoch", "seconds"), "ab", strict=True):
            for color, style, (label, runs) in zip(
                (COLORS[1], COLORS[0]), ("-", "--"), curves.groupby("label", sort=False)
            ):
                for count, (_, own) in enumerate(runs.groupby("seed")):
                    best = own.loc[own[METRIC].idxmax()]
                    name = label if count == 0 else None
                    axis.plot(own[x], own[METRIC], style, color=color, linewidth=0.8, label=name)
                    axis.plot(best[x], best[METRIC], "o", color=color, markersize=3)
            unit = "seconds of training" if x == "seconds" else "epochs"
            axis.set_xlabel(f"{unit}\n({letter})")
            axis.set_xlim(left=0)
        axes[0].set_ylabel(f"validation {METRIC}")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)

"""The comparison as a figure of one column."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crane_pyg.experiments.summary import row_title, summarise_runs
from crane_pyg.files import write_atomically

WIDTH = 3.5  # inches, a column of a two-column page
COLORS = {10: "#56B4E9", 20: "#0072B2"}  # two blues of Okabe and Ito, apart in grey too


def plot_comparison(runs: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw Recall and NDCG of every model, bars as long as the mean, whiskers of one deviation.

    Args:
        runs: as :func:`~crane_pyg.experiments.run_grid` returns them; failed ones are left out.
        path: where the PNG file is written.

    Raises:
        ImportError: if matplotlib is missing.
    """
    from matplotlib.figure import Figure

    summary = summarise_runs(runs).set_index(["metric", "model"])
    models = list(summary.index.unique("model"))
    if not models:
        return
    figure = Figure(figsize=(WIDTH, 0.75 + 0.3 * len(models)), dpi=300, layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axis, metric in zip(panels, ("Recall", "NDCG"), strict=True):
        for side, (k, color) in zip((-0.2, 0.2), COLORS.items(), strict=True):
            rows = summary.loc[f"{metric}@{k}"].loc[models]
            axis.barh(
                [place + side for place in range(len(models))],
                rows["value"],
                xerr=rows["sd"].fillna(0) if rows["sd"].notna().any() else None,
                height=0.38,
                color=color,
                label=f"@{k}",
                error_kw={"elinewidth": 0.8, "capsize": 1.6, "capthick": 0.8},
            )
        axis.set_xlabel(metric, fontsize=8)
        axis.set_yticks(range(len(models)), [row_title(name) for name in models])
        axis.tick_params(labelsize=7, length=2)
        axis.tick_params(axis="y", length=0)
        axis.locator_params(axis="x", nbins=4)
        axis.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylim(len(models) - 0.45, -0.55)  # the first on top
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=7, frameon=False)
    write_atomically(path, lambda aside: figure.savefig(aside, format="png"))

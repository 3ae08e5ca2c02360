"""An inspection as figures."""

from pathlib import Path
from typing import Any

import numpy as np

from crane_pyg.files import write_atomically
from crane_pyg.inspection import Inspection

BLUE, ORANGE = "#0072B2", "#D55E00"  # of Okabe and Ito; also apart by dash and marker


def plot_degrees(inspection: Inspection, path: Path) -> None:
    """Draw how many users and items have at least so many interactions; nothing without any.

    Raises:
        ImportError: if matplotlib is missing.
    """
    from matplotlib.figure import Figure

    if inspection.interactions is None:
        return
    figure = Figure(figsize=(3.8, 2.8), dpi=300, layout="constrained")
    axis = figure.subplots()
    for name, side, color, dash in (
        ("users", inspection.interactions.user, BLUE, "-"),
        ("items", inspection.interactions.item, ORANGE, "--"),
    ):
        degree, count = (np.array(part) for part in side.histogram)
        least = count[::-1].cumsum()[::-1] / max(1, count.sum())
        axis.step(degree, least, where="pre", color=color, linestyle=dash, linewidth=1.4)
        axis.plot([], [], color=color, linestyle=dash, label=f"{name} (Gini {side.gini:.2f})")
    axis.set(
        xscale="log", yscale="log", xlabel="interactions", ylabel="share with at least so many"
    )
    axis.set_title(inspection.name, fontsize=9, parse_math=False)
    _style(axis)
    axis.legend(fontsize=7, frameon=False, loc="lower left")
    write_atomically(path, lambda aside: figure.savefig(aside, format="png"))


def plot_features(inspection: Inspection, path: Path) -> None:
    """Draw how alike two items of one user are, beside chance, and which items have a modality.

    Raises:
        ImportError: if matplotlib is missing.
    """
    from matplotlib.figure import Figure

    names = list(inspection.modalities)
    if not names:
        return
    figure = Figure(figsize=(5.4, 1.3 + 0.35 * len(names)), dpi=300, layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for place, x in enumerate(inspection.modalities.values()):
        left.barh(place, x.present / max(1, x.rows), height=0.5, color=BLUE)
        if x.agreement is not None:
            ends = [x.agreement.chance, x.agreement.same]
            right.plot(ends, [place, place], color="0.6", linewidth=1, zorder=1)
            right.scatter(ends[0], place, marker="s", color=ORANGE, s=22, zorder=2)
            right.scatter(ends[1], place, marker="o", color=BLUE, s=22, zorder=2)
    right.scatter([], [], marker="o", color=BLUE, s=22, label="of one user")
    right.scatter([], [], marker="s", color=ORANGE, s=22, label="by chance")
    left.set(xlim=(0, 1), xlabel="share of items that have it")
    left.set_yticks(range(len(names)), names, parse_math=False)
    left.set_ylim(len(names) - 0.4, -0.6)
    right.set_xlabel("mean cosine of two items, centred")
    right.locator_params(axis="x", nbins=4)
    for axis in (left, right):
        _style(axis)
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, fontsize=7, frameon=False)
    write_atomically(path, lambda aside: figure.savefig(aside, format="png"))


def _style(axis: Any) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=7)
    for label in (axis.xaxis.label, axis.yaxis.label):
        label.set_fontsize(8)

"""How the benchmarks' figures look: for any eyes, in print or on a screen."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from crane_pyg.files import write_atomically

COLUMN = 3.35  # inches: a column of a two-column page

# Okabe and Ito's, told apart by colour-blind readers too; their yellow is too pale for a line.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#777777"
STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
}


@contextmanager
def canvas(
    path: Path,
    size: tuple[float, float],
    shape: tuple[int, int] = (1, 1),
    *,
    grid: bool = True,
    **kwargs: Any,
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Axes in rows and columns, written to the path in the end; ``kwargs`` are of ``subplots``."""
    small = {"font.size": 7, "axes.titlesize": 7.5, "legend.fontsize": 6.5}
    with rc_context(STYLE | (small if size[0] <= COLUMN else {}) | {"axes.grid": grid}):
        figure = Figure(figsize=size, layout="constrained")
        axes = list(figure.subplots(*shape, squeeze=False, **kwargs).flat)
        yield figure, axes
        write_atomically(path, lambda aside: figure.savefig(aside, dpi=300, format="png"))


@contextmanager
def panels(
    path: Path, count: int, size: tuple[float, float]
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Log-log axes side by side, written to the path in the end."""
    with canvas(path, size, (1, count)) as (figure, axes):
        figure.get_layout_engine().set(wspace=0.08)
        for axis in axes:
            axis.set(xscale="log", yscale="log")
        yield figure, axes


def growth_lines(axis: Axes, curves: Sequence[Sequence[tuple[int, float]]]) -> None:
    """Dashed: linear growth below all curves, quadratic growth above the steepest.

    Nothing where all curves are points. Zeros, which a logarithmic axis cannot show, do not count.
    """
    curves = [[point for point in curve if point[1] > 0] for curve in curves]
    curves = [curve for curve in curves if curve]
    if not curves:
        return
    first, last = min(curve[0][0] for curve in curves), max(curve[-1][0] for curve in curves)
    if first == last:
        return
    linear = 0.6 * min(y / n for curve in curves for n, y in curve)
    quadratic = 1.7 * max(curve[-1][1] / curve[-1][0] ** 2 for curve in curves)
    bottom, top = 0.5 * linear * first, 2 * max(y for curve in curves for _, y in curve)
    for power, factor, name in ((1, linear, "linear"), (2, quadratic, "quadratic")):
        end = min(last, (top / factor) ** (1 / power))
        line = [factor * n**power for n in (first, end)]
        offset = (0, -26) if power == 1 else (-4, 4)
        axis.plot((first, end), line, "--", color=GREY, linewidth=1, zorder=0)
        axis.annotate(
            name, (end, line[1]), offset, textcoords="offset points", color=GREY, ha="right"
        )
    axis.set_ylim(bottom, 2 * top)

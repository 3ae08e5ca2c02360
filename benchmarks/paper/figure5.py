"""Figure 5: Recall@20 against the layers of both graphs, and against rounds and neighbours."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from benchmarks.figure import COLORS, COLUMN, canvas
from benchmarks.paper.job import Job, done, tidy
from crane_pyg.experiments import markdown_failures, markdown_table
from crane_pyg.experiments.settings import settings_with_defaults


class Grid(NamedTuple):
    """Two settings, their values and how the axes call them: down, then across."""

    names: tuple[str, str]
    values: tuple[tuple[int, ...], tuple[int, ...]]
    labels: tuple[str, str]


GRIDS = (
    Grid(("num_layers", "num_item_layers"), ((0, 1, 2, 3), (1, 2, 3, 4)), ("$L_{UI}$", "$L_{II}$")),
    Grid(("num_rounds", "k"), ((1, 2, 3, 4), (5, 10, 15, 20)), ("$R$", "$k$")),
)


def run(job: Job) -> None:
    seeds = job.args.seeds[: job.args.heat_map_seeds]
    cells = [
        {grid.names[0]: row, grid.names[1]: column}
        for grid in GRIDS
        for row in grid.values[0]
        for column in grid.values[1]
    ]
    labels = [", ".join(f"{name}={value}" for name, value in cell.items()) for cell in cells]
    runs = job.train({label: ("crane", cell) for label, cell in zip(labels, cells)}, seeds)
    done(runs)
    maps = [score_map(grid, runs) for grid in GRIDS]
    base = settings_with_defaults("crane", job.settings("crane"))
    job.write(text(job, maps, base, seeds, runs), tidy(runs))
    draw(maps, base, job.folder / "figure.png")


def score_map(grid: Grid, runs: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """By split, mean Recall@20 over the seeds, the first setting down and the second across."""
    rows = [
        {split: run[split]["Recall@20"] for split in ("val", "test")}
        | {name: run["settings"][name] for name in grid.names}
        for run in runs
        if "error" not in run and run["label"].startswith(f"{grid.names[0]}=")
    ]
    frame = pd.DataFrame(rows)
    return {
        split: frame.pivot_table(split, *grid.names).reindex(
            index=grid.values[0], columns=grid.values[1]
        )
        for split in ("val", "test")
    }


def text(
    job: Job,
    maps: list[dict[str, pd.DataFrame]],
    base: dict[str, Any],
    seeds: list[int],
    runs: list[dict[str, Any]],
) -> str:
    parts = [job.head(seeds, "Recall@20")]
    for grid, by_split in zip(GRIDS, maps, strict=True):
        here = ", ".join(f"{name} {base[name]}" for name in grid.names)
        for split, frame in by_split.items():
            down, across = frame.stack().idxmax()
            head = f"{grid.names[0]} down, {grid.names[1]} across, {split}"
            parts.append(
                f"{head}; best at {down}, {across} ({frame.loc[down, across]:.4f}); in use: {here}"
            )
            cells = frame.map("{:.4f}".format).reset_index(names=grid.names[0])
            cells.columns = cells.columns.map(str)
            parts.append(markdown_table(cells))
    if lost := markdown_failures(runs):
        parts.append("\n".join(["Failed:\n", *lost]))
    return "\n\n".join(parts)


def draw(maps: list[dict[str, pd.DataFrame]], base: dict[str, Any], path: Path) -> None:
    """Test, as the paper has it; darker is better, and the settings in use are framed."""
    with canvas(path, (COLUMN, 1.85), (1, 2), grid=False) as (_, axes):
        for axis, grid, by_split, letter in zip(axes, GRIDS, maps, "ab", strict=True):
            heat_map(axis, by_split["test"])
            axis.set_xlabel(f"{grid.labels[1]}\n({letter})")
            axis.set_ylabel(grid.labels[0])
            place = [
                grid.values[side].index(base[name]) if base[name] in grid.values[side] else -1
                for side, name in enumerate(grid.names)
            ]
            if min(place) >= 0:
                corner = (place[1] - 0.5, place[0] - 0.5)
                frame = Rectangle(corner, 1, 1, fill=False, edgecolor=COLORS[1], linewidth=2)
                frame.set_clip_on(False)
                axis.add_patch(frame)


def heat_map(axis: Axes, frame: pd.DataFrame) -> None:
    values = frame.to_numpy()
    low, high = np.nanmin(values), np.nanmax(values)
    axis.imshow(values, cmap="Blues", vmin=low - 0.1 * (high - low), vmax=high + 0.2 * (high - low))
    axis.set_xticks(range(values.shape[1]), frame.columns)
    axis.set_yticks(range(values.shape[0]), frame.index)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    for (row, column), value in np.ndenumerate(values):
        dark = value > low + 0.7 * (high - low)
        axis.text(
            column,
            row,
            f"{value:.4f}".removeprefix("0"),
            ha="center",
            va="center",
            fontsize=6,
            color="white" if dark else "black",
        )

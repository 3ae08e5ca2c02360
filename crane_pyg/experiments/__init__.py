"""Experiments: a grid of runs and its table, and the search for settings."""

from crane_pyg.experiments.figure import bar_plot
from crane_pyg.experiments.grid import run_grid
from crane_pyg.experiments.search import search
from crane_pyg.experiments.settings import FIT_DEFAULTS, check_settings, complete, construct, parted
from crane_pyg.experiments.spaces import SEARCH_SPACES
from crane_pyg.experiments.summary import (
    failures,
    markdown,
    markdown_table,
    mean_and_sd,
    paired_p_value,
    summarise,
)

__all__ = [
    "FIT_DEFAULTS",
    "SEARCH_SPACES",
    "bar_plot",
    "check_settings",
    "complete",
    "construct",
    "failures",
    "markdown",
    "markdown_table",
    "mean_and_sd",
    "paired_p_value",
    "parted",
    "run_grid",
    "search",
    "summarise",
]

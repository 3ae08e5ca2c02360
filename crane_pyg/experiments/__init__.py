"""Experiments: a grid of runs and its table, and the search for settings."""

from crane_pyg.experiments.degree_table import degree_range, markdown_by_degree
from crane_pyg.experiments.figure import plot_comparison
from crane_pyg.experiments.grid import run_grid
from crane_pyg.experiments.measurement import Measurement
from crane_pyg.experiments.plan import SearchPlan, plan_search
from crane_pyg.experiments.search import search_settings
from crane_pyg.experiments.settings import (
    check_settings,
    complete_settings,
    construct_model,
    settings_with_defaults,
    split_settings,
)
from crane_pyg.experiments.spaces import SEARCH_SPACES
from crane_pyg.experiments.summary import (
    markdown_comparison,
    markdown_failures,
    markdown_table,
    mean_and_sd,
    paired_p_value,
    summarise_runs,
)

__all__ = [
    "SEARCH_SPACES",
    "Measurement",
    "SearchPlan",
    "check_settings",
    "complete_settings",
    "construct_model",
    "degree_range",
    "markdown_by_degree",
    "markdown_comparison",
    "markdown_failures",
    "markdown_table",
    "mean_and_sd",
    "paired_p_value",
    "plan_search",
    "plot_comparison",
    "run_grid",
    "search_settings",
    "settings_with_defaults",
    "split_settings",
    "summarise_runs",
]

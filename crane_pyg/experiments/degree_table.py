"""Scores of a comparison by the degree of users and of items, as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from crane_pyg.experiments.summary import markdown_table, row_title, run_label

METRIC = "Recall@20"
COUNTED = {"user": "users", "item": "pairs"}


def degree_range(row: Mapping[str, Any]) -> str:
    """``3-7`` of a row that :func:`~crane_pyg.training.evaluate_by_degree` returns.

    Examples:
        >>> from crane_pyg.experiments import degree_range
        >>> degree_range({"min_degree": 3, "max_degree": 7})
        '3-7'
    """
    low, high = row["min_degree"], row["max_degree"]
    return str(low) if low == high else f"{low}-{high}"


def markdown_by_degree(runs: Sequence[Mapping[str, Any]]) -> str:
    """Recall@20 at test, a row per model and a column per range of degrees, means over the seeds.

    Args:
        runs: as :func:`~crane_pyg.experiments.run_grid` returns them.

    Returns:
        Markdown; nothing where no run was measured by degree.
    """
    measured = [run for run in runs if "by_degree" in run]
    parts = []
    for by, counted in COUNTED.items() if measured else ():
        head = [f"{degree_range(row)} ({row[counted]:,})" for row in measured[0]["by_degree"][by]]
        scores = pd.DataFrame(
            [[run_label(run), *(row[METRIC] for row in run["by_degree"][by])] for run in measured],
            columns=["model", *head],
        )
        means = scores.groupby("model", sort=False).mean().map("{:.4f}".format).reset_index()
        means["model"] = means["model"].map(row_title)
        parts.append(f"{METRIC} by the {by}'s training interactions (and the number of {counted}):")
        parts.append(markdown_table(means))
    return "\n\n".join(parts) + "\n" * bool(parts)

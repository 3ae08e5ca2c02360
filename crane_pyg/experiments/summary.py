"""The table of a comparison: means and deviations, who is best, and whether by more than luck."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import ttest_rel

from crane_pyg.nn.models import MODELS
from crane_pyg.training.metrics import is_better_high

METRICS = ("Recall@10", "Recall@20", "NDCG@10", "NDCG@20")
COSTS = {
    "seconds_per_epoch": ("s / epoch", "median", "{:.3g}"),
    "peak_memory_mb": ("peak MB", "max", "{:.0f}"),
    "parameters": ("parameters", "max", "{:,.0f}"),
}


def summarise_runs(runs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per model and metric of the runs that did not fail.

    Args:
        runs: as :func:`~crane_pyg.experiments.run_grid` returns them.

    Returns:
        the columns ``model`` (or its label), ``metric``, ``value`` (mean over the seeds; of seconds
        per epoch the median, of memory the maximum), ``sd``, ``seeds``, ``rank`` (1 is best, of
        popularity the lowest) and ``p_value`` of the paired t-test between the best model and this
        one.
    """
    done = [run for run in runs if "error" not in run]
    table = pd.DataFrame(
        [{"model": run_label(run), "seed": run["seed"], **run["test"]} for run in done]
        or {"model": [], "seed": []}
    )
    groups = table.groupby("model", sort=False)
    scores = {str(name): frame.set_index("seed") for name, frame in groups}
    rows: list[dict[str, Any]] = []
    for metric in metrics_of(runs):
        columns = {model: frame[metric] for model, frame in scores.items()}
        means = {model: float(column.mean()) for model, column in columns.items()}
        ranking = sorted(means, key=lambda model: means[model], reverse=is_better_high(metric))
        rows += [
            {
                "model": model,
                "metric": metric,
                "value": means[model],
                "sd": column.std(),
                "seeds": len(column),
                "rank": 1 + ranking.index(model),
                "p_value": paired_p_value(columns[ranking[0]], column),
            }
            for model, column in columns.items()
        ]
    costs = pd.DataFrame(
        [{"model": run_label(run), **{key: run[key] for key in COSTS}} for run in done],
        columns=["model", *COSTS],
    ).groupby("model", sort=False)
    for metric, (_, statistic, _) in COSTS.items():
        rows += [
            {"model": model, "metric": metric, "value": value, "seeds": len(scores[str(model)])}
            for model, value in costs[metric].agg(statistic).items()
        ]
    names = ["model", "metric", "value", "sd", "seeds", "rank", "p_value"]
    return pd.DataFrame(rows, columns=names).astype({"rank": "Int64"})


def metrics_of(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The scores that a table shows: four always, and what all runs have beside them."""
    tests = [run["test"] for run in runs if "error" not in run]
    common = [name for name in (tests or [{}])[0] if all(name in test for test in tests)]
    return [*METRICS, *(name for name in common if name not in METRICS)]


def run_label(run: Mapping[str, Any]) -> str:
    """How a run's row is called: by its label, or by its model."""
    return run.get("label", run["model"])


def row_title(label: str) -> str:
    """The title of a row: the name of a model's class, or the label itself."""
    return MODELS[label].__name__ if label in MODELS else label


def paired_p_value(ours: pd.Series, theirs: pd.Series) -> float:
    """The p-value of a paired t-test over the seeds that both have.

    NaN where that is fewer than two seeds, or the difference is the same for all, as between models
    without anything random: there is no spread to hold it against.

    Args:
        ours, theirs: a score by seed.
    """
    pair = pd.concat([ours, theirs], axis=1, join="inner").to_numpy(dtype=float)
    if len(pair) < 2 or np.ptp(pair[:, 0] - pair[:, 1]) <= 1e-5 * np.abs(pair).max():
        return float("nan")
    return float(ttest_rel(pair[:, 0], pair[:, 1]).pvalue)


def mean_and_sd(values: pd.Series) -> str:
    """``0.1234 ± 0.0012``, without the deviation where there is but one value."""
    return _score(values.mean(), values.std())


def _score(mean: float, sd: float) -> str:
    return f"{mean:.4f}" if np.isnan(sd) else f"{mean:.4f} ± {sd:.4f}"


def markdown_comparison(runs: Sequence[Mapping[str, Any]]) -> str:
    """The comparison as Markdown: scores and costs, p-values, and what failed.

    The best of each metric is bold, the second underlined.
    """
    summary, metrics = summarise_runs(runs), metrics_of(runs)
    models = list(dict.fromkeys(map(run_label, runs)))
    cell = {(row.model, row.metric): row for row in summary.itertuples()}
    scores, p_values = [], []
    for model in models:
        rows = [cell.get((model, metric)) for metric in metrics]
        name, asked = row_title(model), sum(run_label(run) == model for run in runs)
        if rows[0] is None:
            scores.append([name, f"0 of {asked}", *["failed"] * len(metrics), *[""] * len(COSTS)])
            continue
        seeds = str(asked) if rows[0].seeds == asked else f"{rows[0].seeds} of {asked}"
        costs = [form.format(cell[model, key].value) for key, (_, _, form) in COSTS.items()]
        scores.append([name, seeds, *map(_marked, rows), *costs])
        p_values.append([name, *map(_p_value, rows)])
    head = ["model", "seeds", *metrics, *(label for label, _, _ in COSTS.values())]
    parts = [markdown_table(pd.DataFrame(scores, columns=head))]
    if len(p_values) > 1:
        parts.append("Paired t-test over the seeds between the best model and each other, p-value:")
        parts.append(markdown_table(pd.DataFrame(p_values, columns=["model", *metrics])))
    if failed := markdown_failures(runs):
        parts.append("\n".join(["Failed:\n", *failed]))
    return "\n\n".join(parts) + "\n"


def _marked(row: Any) -> str:
    text = _score(row.value, row.sd)
    return {1: f"**{text}**", 2: f"<u>{text}</u>"}.get(row.rank, text)


def _p_value(row: Any) -> str:
    if row.rank == 1:
        return "best"
    return "" if np.isnan(row.p_value) else f"{row.p_value:.2g}"


def markdown_failures(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line of Markdown for each run, or several alike, that failed.

    Examples:
        >>> from crane_pyg.experiments import markdown_failures
        >>> runs = [{"model": "ease", "seed": 9, "error": "MemoryError: 9 GB"}]
        >>> markdown_failures(runs)
        ['- EASE, seed 9: MemoryError: 9 GB']
    """
    seeds: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        if "error" in run:
            seeds.setdefault((run_label(run), run["error"]), []).append(str(run["seed"]))
    return [
        f"- {row_title(model)}, seed {', '.join(those)}: {error}"
        for (model, error), those in seeds.items()
    ]


def markdown_table(table: pd.DataFrame) -> str:
    """A frame of text as Markdown, its columns aligned for people who read the source.

    Examples:
        >>> import pandas as pd
        >>> from crane_pyg.experiments import markdown_table
        >>> scores = {"model": ["bpr", "crane"], "Recall@20": ["0.1", "0.2"]}
        >>> print(markdown_table(pd.DataFrame(scores)))
        | model | Recall@20 |
        | ----- | --------- |
        | bpr   | 0.1       |
        | crane | 0.2       |
    """
    lines = [list(table.columns), *table.astype(str).to_numpy().tolist()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * max(3, width) for width in widths])
    return "\n".join(
        "| " + " | ".join(word.ljust(width) for word, width in zip(line, widths)) + " |"
        for line in lines
    )

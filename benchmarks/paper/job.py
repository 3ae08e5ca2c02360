"""What the tables and figures share: data, settings, runs, and a folder each."""

import argparse
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from torch_geometric.data import HeteroData

from benchmarks.defaults import compare
from crane_pyg.cli import options
from crane_pyg.experiments import (
    complete_settings,
    markdown_failures,
    markdown_table,
    mean_and_sd,
    run_grid,
    summarise_runs,
)
from crane_pyg.files import write_text
from crane_pyg.nn.models import Recommender
from crane_pyg.training import load_model

METRICS = ("Recall@10", "Recall@20", "NDCG@10", "NDCG@20")
KEPT = ("CRANE", "FREEDOM")  # Figure 6 looks at their weights
Runs = list[dict[str, Any]]


class Job:
    """One table or figure of one data set.

    Args:
        name: of the table or figure, and of its folder.
        args: of the command line.
    """

    def __init__(self, name: str, args: argparse.Namespace) -> None:
        self.name = name
        self.args = args
        self.folder: Path = args.out / name

    def named(self, name: str) -> "Job":
        """Another table or figure of the same data, which is not read again."""
        other = Job(name, self.args)
        other.__dict__["dataset"] = self.dataset
        return other

    @cached_property
    def dataset(self) -> Any:
        return options.load(self.args)

    @property
    def data(self) -> HeteroData:
        return self.dataset[0]

    def settings(self, model: str, change: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Of files and options, ``--set`` being CRANE's alone, with what a variant changes."""
        args = self.args
        if model != "crane":
            args = argparse.Namespace(**{**vars(args), "set": []})
        return complete_settings(model, options.given(args, model) | dict(change or {}))

    def train(
        self, variants: Mapping[str, tuple[str, Mapping[str, Any]]], seeds: Sequence[int]
    ) -> Runs:
        """A run per variant and seed.

        Args:
            variants: model, and what differs from its settings, by label.
            seeds: of training.
        """
        return run_grid(
            self.data,
            {label: self.settings(*variant) for label, variant in variants.items()},
            seeds,
            self.folder,
            models={label: model for label, (model, _) in variants.items()},
            shared=self.args.out / "runs",
            keep=KEPT,
            protocol=self.args.protocol,
            about=options.about(self.args, self.dataset.name),
            device=options.device(self.args.device),
            progress=not self.args.quiet,
        )

    def history(self, run: Mapping[str, Any]) -> pd.DataFrame:
        """A line per epoch."""
        return pd.read_csv(self.args.out / "runs" / f"{run['run']}.csv")

    def trained(self, run: Mapping[str, Any]) -> Recommender:
        """The model as it was tested; one of :data:`KEPT`."""
        return load_model(self.args.out / "runs" / f"{run['run']}.safetensors", self.data)

    def head(self, seeds: Sequence[int], what: str = "test") -> str:
        """The line that says where the numbers of a table come from."""
        words = " ".join(map(str, seeds))
        spread = ", mean ± standard deviation" if len(seeds) > 1 else ""
        where = f"{self.dataset.name}, protocol {self.args.protocol}, {what}"
        return f"{where}{spread}, training seed{'s' * (len(seeds) > 1)} {words}."

    def write(self, text: str, table: pd.DataFrame) -> None:
        """``table.md`` for people and ``table.csv`` for programs."""
        write_text(self.folder / "table.md", text.rstrip() + "\n")
        write_text(self.folder / "table.csv", table.to_csv(index=False))


def done(runs: Runs) -> Runs:
    """The runs that did not fail.

    Raises:
        ValueError: if there is none.
    """
    kept = [run for run in runs if "error" not in run]
    if not kept:
        raise ValueError("; ".join(dict.fromkeys(str(run["error"]) for run in runs)))
    return kept


def scores(runs: Runs) -> dict[str, pd.DataFrame]:
    """Test scores by label, a seed a line."""
    labels = dict.fromkeys(run["label"] for run in runs)
    return {
        label: pd.DataFrame.from_dict(
            {run["seed"]: run["test"] for run in runs if run["label"] == label}, orient="index"
        )
        for label in labels
    }


def score_table(
    runs: Runs,
    rows: Mapping[str, str],
    against: Mapping[str, str],
    costs: Mapping[str, float] | None = None,
) -> str:
    """Scores of each row, and how far Recall@20 and NDCG@20 are from those of another.

    Args:
        runs: of :meth:`Job.train`.
        rows: what was run, by label.
        against: by label, the row to compare with; labels without one are not compared.
        costs: seconds per epoch by label. (default: no such column)
    """
    known, lines = scores(done(runs)), []
    for label, what in rows.items():
        frame = known.get(label)
        line = {"row": label, "what was run": what}
        if frame is None:
            lines.append(line | dict.fromkeys(METRICS, "failed") | {"compared with": ""})
            continue
        line |= {metric: mean_and_sd(frame[metric]) for metric in METRICS}
        other = against.get(label, "")
        line["compared with"] = other
        for metric in ("Recall@20", "NDCG@20"):
            pair = None
            if other in known:
                pair = pd.concat([frame[metric], known[other][metric]], axis=1, join="inner")
            line[f"{metric}, change"] = "" if pair is None else compare(pair)
        if costs is not None:
            line["s / epoch"] = f"{costs[label]:.3g}" if label in costs else ""
        lines.append(line)
    parts = [markdown_table(pd.DataFrame(lines).fillna(""))]
    if lost := markdown_failures(runs):
        parts.append("\n".join(["Failed:\n", *lost]))
    return "\n\n".join(parts)


def tidy(runs: Runs) -> pd.DataFrame:
    """The summary with its labels called labels."""
    return summarise_runs(runs).rename(columns={"model": "label"})

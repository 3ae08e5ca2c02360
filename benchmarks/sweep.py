"""Trains a grid of settings and chooses by validation; the runs that found our defaults.

    python -m benchmarks.sweep DATA --model crane --grid k=5,10 --grid lr=1e-3 --out runs.jsonl

Each run adds one JSON line to the file; runs that stand there already are not trained again. The
test split is not looked at.
"""

import argparse
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch_geometric.data import HeteroData

from crane_pyg.datasets import load_dataset
from crane_pyg.experiments import complete_settings, construct_model, split_settings
from crane_pyg.nn.models import MODELS, Recommender
from crane_pyg.training import FitResult, evaluate, fit
from crane_pyg.training.evaluation import EvaluationProtocol, HeldOutSplit


def train(
    data: HeteroData, name: str, settings: dict[str, Any], seed: int, protocol: EvaluationProtocol
) -> tuple[Recommender, FitResult]:
    """Train one model with these settings over the library's defaults."""
    settings = complete_settings(name, settings)
    model = construct_model(name, data, settings, seed)
    training = split_settings(settings)[1]
    return model, fit(model, data, **training, seed=seed, protocol=protocol, progress=False)


def record(
    path: Path,
    key: dict[str, Any],
    data: HeteroData,
    *,
    split: HeldOutSplit,
    protocol: EvaluationProtocol = "strict",
) -> dict[str, Any]:
    """The line of ``path`` with this model, settings and seed; trained and added if absent."""
    key = {"split": split, "protocol": protocol, **key}
    for row in read(path):
        if all(row[name] == value for name, value in key.items()):
            return row
    model, result = train(data, key["model"], key["settings"], key["seed"], protocol)
    row = key | {
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        "seconds_per_epoch": round(result.seconds_per_epoch, 3),
        "scores": evaluate(model, data, split, protocol=protocol),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")
    return row


def read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def combinations(grid: list[str]) -> Iterator[dict[str, Any]]:
    """``['k=5,10', 'lr=1e-3']`` gives two settings."""
    names = [item.partition("=")[0] for item in grid]
    values = [[_value(word) for word in item.partition("=")[2].split(",")] for item in grid]
    for combination in itertools.product(*values):
        yield dict(zip(names, combination, strict=True))


def _value(word: str) -> Any:
    try:
        return json.loads(word)
    except json.JSONDecodeError:
        return word


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder or synthetic preset")
    parser.add_argument("--model", choices=sorted(MODELS), default="crane")
    parser.add_argument("--grid", action="append", default=[], metavar="NAME=A,B,...")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    data = load_dataset(args.data)[0]
    for settings in combinations(args.grid):
        for seed in args.seeds:
            key = {"model": args.model, "settings": settings, "seed": seed}
            row = record(args.out, key, data, split="val")
            scores = "  ".join(f"{name} {value:.4f}" for name, value in row["scores"].items())
            print(f"{scores}  epoch {row['best_epoch']:>3}  {json.dumps(settings)}", flush=True)


if __name__ == "__main__":
    main()

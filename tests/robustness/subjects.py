"""What is attacked: commands on small data, and what they must come to."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from safetensors.torch import load_file

from benchmarks.paper.__main__ import main as paper
from crane_pyg.cli import main as crane_pyg
from crane_pyg.serving import Recommender

COSTS = ["seconds", "seconds_per_epoch", "peak_memory_mb"]
Command = tuple[Callable[[list[str]], None], list[str]]


class Subject(NamedTuple):
    """Commands that are run in a folder.

    Args:
        commands: what makes the result, from nothing.
        result: what must be the same after every fault.
        other: a command on the same ``out`` that must be refused in one line.
        attacked: the commands during which and after which faults happen.
        prepare: writes the inputs.
    """

    commands: list[Command]
    result: Callable[[Path], Any]
    other: Command
    attacked: list[Command]
    prepare: Callable[[Path], None] = lambda folder: None


def _command(main: Callable, line: str) -> Command:
    return main, line.split()


def _train_result(folder: Path) -> Any:
    record = json.loads((folder / "out" / "result.json").read_text())
    weights = load_file(folder / "out" / "model.safetensors")
    history = pd.read_csv(folder / "out" / "history.csv").drop(columns="seconds")
    return (
        {key: value for key, value in record.items() if key not in COSTS},
        {name: value.numpy().tobytes() for name, value in sorted(weights.items())},
        history.to_csv(),
    )


def _compare_result(folder: Path) -> Any:
    table = pd.read_csv(folder / "out" / "table.csv")
    lines = (folder / "out" / "runs.jsonl").read_text().splitlines()
    runs = [{k: v for k, v in json.loads(line).items() if k not in COSTS} for line in lines]
    return table[table["metric"].str.contains("@")].to_csv(), runs


def _tune_result(folder: Path) -> Any:
    costs = ["seconds", "seconds_per_epoch"]
    table = pd.read_csv(folder / "out" / "trials.csv").drop(columns=costs)
    return table.to_csv(), (folder / "out" / "best.json").read_text()


def _prepare_result(folder: Path) -> Any:
    return {path.name: path.read_bytes() for path in sorted((folder / "out").iterdir())}


def _paper_result(folder: Path) -> Any:
    return pd.read_csv(folder / "out" / "figure8" / "table.csv").drop(columns="seconds").to_csv()


def _write_log(folder: Path) -> None:
    pairs = [(u, i) for u in range(12) for i in range(12) if (u + i) % 5]
    rows = "".join(f"user {u},item {i},{1000 + 7 * u + i}\n" for u, i in pairs)
    (folder / "log.csv").write_text("user_id,item_id,timestamp\n" + rows)
    texts = "".join(f"item {i},word{i % 4} and word{i % 3}\n" for i in range(12))
    (folder / "items.csv").write_text("item_id,title\n" + texts)


def _artefact_result(folder: Path) -> Any:
    shop = Recommender.load(folder / "out")
    return {path.name: path.read_bytes() for path in sorted((folder / "out").iterdir())}, [
        *shop.recommend(shop.user_ids[0], 5)
    ]


_TRAIN = "train tiny --model lightgcn --epochs 3 --device cpu --out out"
_COMPARE = "compare tiny --models bpr,lightgcn --seeds 1,2 --epochs 2 --device cpu --out out"
_TUNE = "tune tiny --model lightgcn --trials 4 --epochs 2 --device cpu --out out"
_PREPARE = (
    "prepare --interactions log.csv --items items.csv --text-encoder tfidf-svd --cache cache "
    "--out out --overwrite"
)
_PAPER = "figure8 --data tiny --epochs 1 --seeds 1 --device cpu --out out"
_EXPORT = "export run --data tiny --out out"
_RECOMMEND = "recommend tiny --device cpu --k 5 --run out --out recommended.csv"


def _subject(main: Callable, line: str, other: str, result: Callable, **given: Any) -> Subject:
    command = [_command(main, line)]
    return Subject(command, result, _command(main, other), command, **given)


SUBJECTS = {
    "train": _subject(crane_pyg, _TRAIN, f"{_TRAIN} --set l2=0.5", _train_result),
    "recommend": Subject(
        [_command(crane_pyg, _TRAIN), _command(crane_pyg, _RECOMMEND)],
        lambda folder: (folder / "recommended.csv").read_text(),
        _command(crane_pyg, f"{_RECOMMEND} --split-seed 1"),
        [_command(crane_pyg, _RECOMMEND)],
    ),
    "export": Subject(
        [_command(crane_pyg, f"{_TRAIN[:-3]}run"), _command(crane_pyg, _EXPORT)],
        _artefact_result,
        _command(crane_pyg, f"{_EXPORT} --split-seed 1"),
        [_command(crane_pyg, _EXPORT)],
    ),
    "compare": _subject(crane_pyg, _COMPARE, f"{_COMPARE} --lr 0.5", _compare_result),
    "tune": _subject(crane_pyg, _TUNE, f"{_TUNE} --seed 1", _tune_result),
    "prepare": _subject(
        crane_pyg,
        _PREPARE,
        _PREPARE.removesuffix(" --overwrite"),
        _prepare_result,
        prepare=_write_log,
    ),
    "paper": _subject(paper, _PAPER, f"{_PAPER} --lr 0.5", _paper_result),
}

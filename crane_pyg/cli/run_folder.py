"""Opening what a training left, with the data that it was trained on."""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from torch_geometric.data import HeteroData

from crane_pyg.cli import options
from crane_pyg.datasets import MultimodalDataset
from crane_pyg.datasets.columns import ORIGINAL_ID
from crane_pyg.datasets.ids import read_ids
from crane_pyg.limits import read_json
from crane_pyg.nn.models import Recommender
from crane_pyg.seals import read_record
from crane_pyg.training import load_model
from crane_pyg.training.identity import differences

WEIGHTS, NOTE, RESULT = "model.safetensors", "run.json", "result.json"


class Run(NamedTuple):
    """A trained model and what goes with it.

    Args:
        record: what decided the result.
        result: its scores; empty where the training left none.
        data: the graph.
        model: in evaluation mode.
        folder: of the data; ``None`` where they are drawn.
        user_ids, item_ids: tables with the original ids, in the order of the numbers, and with the
            titles and pictures where they are known.
    """

    record: dict[str, Any]
    result: dict[str, Any]
    data: HeteroData
    model: Recommender
    folder: Path | None
    user_ids: pd.DataFrame
    item_ids: pd.DataFrame


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the folder of a training and the data it was trained on; :func:`open_run` needs these."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="the training's --out")
    parser.add_argument(
        "--data", required=True, help="what it was trained on, as train and recommend name it"
    )
    options.add_reading(parser)


def open_run(args: argparse.Namespace, folder: Path, option: str) -> Run:
    """Load the weights of a run, and the data that ``args`` name.

    Args:
        args: with the options of :func:`crane_pyg.cli.options.add_data`.
        folder: the training's ``--out``.
        option: what names the folder, for messages.

    Raises:
        ValueError: if the folder is none, or was trained on other data.
    """
    for needed in (folder / WEIGHTS, folder / NOTE):
        if not needed.is_file():
            raise ValueError(f"{option} must be the --out of a training (got no '{needed}')")
    dataset = options.load(args)
    record = read_record(folder / NOTE)
    there = record.get("data", {})
    if differing := differences(there, options.identify(args, dataset)):
        raise ValueError(f"'{folder}' was trained on other data (got, there and now: {differing})")
    data = dataset[0]
    model = load_model(folder / WEIGHTS, data)
    result = read_json(folder / RESULT) if (folder / RESULT).is_file() else {}
    tables = dataset.folder if isinstance(dataset, MultimodalDataset) else None
    user_ids = _ids(tables, "users", data["user"].num_nodes, data["user"].get("original_id"))
    item_ids = _ids(tables, "items", data["item"].num_nodes)
    return Run(record, result, data, model, tables, user_ids, item_ids)


def _ids(folder: Path | None, kind: str, size: int, former: Any = None) -> pd.DataFrame:
    """The original ids of users or items from their file; without one, their numbers."""
    numbers = range(size) if former is None else former.tolist()
    table = None if folder is None else read_ids(folder, kind, max(numbers, default=-1) + 1)
    if table is None:
        return pd.DataFrame({ORIGINAL_ID: [str(number) for number in numbers]})
    return table.iloc[list(numbers)].reset_index(drop=True)

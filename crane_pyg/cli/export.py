"""``python -m crane_pyg export``."""

import argparse
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy
import pandas as pd
import torch

from crane_pyg import __version__
from crane_pyg.cli import options
from crane_pyg.cli.run_folder import Run, open_run
from crane_pyg.datasets.columns import IMAGE, ORIGINAL_ID, TITLE
from crane_pyg.export import ItemTexts, export_model
from crane_pyg.export.vectors import write_vectors


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="the training's --out")
    parser.add_argument(
        "--data", required=True, help="what it was trained on, as train and recommend name it"
    )
    options.add_reading(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="the artefact: a new or empty folder, or an artefact, which is replaced",
    )
    parser.add_argument(
        "--parquet",
        action="store_true",
        help="also write the vectors as users.parquet and items.parquet, for a vector database",
    )


def run(args: argparse.Namespace) -> None:
    """Write the artefact and say what it holds."""
    opened = open_run(args, args.folder, "RUN")
    item_ids = opened.item_ids[ORIGINAL_ID].tolist()
    texts = ItemTexts(*(_column(opened.item_ids, name) for name in (TITLE, IMAGE)))
    export_model(
        opened.model,
        opened.data,
        args.out,
        user_ids=opened.user_ids[ORIGINAL_ID].tolist(),
        item_ids=item_ids,
        texts=texts,
        about=about(opened),
    )
    if args.parquet:
        write_vectors(args.out)
    size = sum(path.stat().st_size for path in args.out.iterdir()) / 2**20
    print(
        f"'{args.out}': {opened.record['model']} of {len(opened.user_ids)} users and "
        f"{len(item_ids)} items, {_told(texts)}, {size:.1f} MB"
    )


def about(opened: Run) -> dict[str, Any]:
    """What an artefact says of the run that it comes from."""
    record, result = opened.record, opened.result
    return {
        "model": record["model"],
        "settings": record["settings"],
        "data": record["data"],
        "protocol": record["protocol"],
        "seed": record["seed"],
        "metrics": {split: result[split] for split in ("val", "test") if split in result},
        "versions": {
            "crane-pyg": __version__,
            "torch": torch.__version__,
            "torch_geometric": version("torch-geometric"),
            "numpy": numpy.__version__,
        },
    }


def _column(table: pd.DataFrame, name: str) -> list[str] | None:
    return table[name].tolist() if name in table else None


def _told(texts: ItemTexts) -> str:
    counts = {
        name: sum(map(bool, lines or ()))
        for name, lines in (("titles", texts.titles), ("pictures", texts.pictures))
    }
    return " and ".join(f"{count} {name}" for name, count in counts.items())

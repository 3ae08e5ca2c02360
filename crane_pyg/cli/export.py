"""``python -m crane_pyg export``."""

import argparse
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy
import pandas as pd
import torch

from crane_pyg import __version__
from crane_pyg.cli.run_folder import Run, add_run, open_run
from crane_pyg.datasets.columns import IMAGE, ORIGINAL_ID, TITLE
from crane_pyg.datasets.folder import METADATA
from crane_pyg.encoders import WordProjection
from crane_pyg.export import ItemTexts, export_model
from crane_pyg.export.item_index import add_index
from crane_pyg.export.vectors import write_vectors
from crane_pyg.limits import read_json
from crane_pyg.preparation.pipeline import WORDS


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_run(parser)
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
    parser.add_argument(
        "--index",
        choices=["faiss"],
        help="also make an index of the items for serve --index, if it finds enough",
    )
    parser.add_argument(
        "--least-recall",
        type=float,
        default=0.95,
        metavar="SHARE",
        help="of exact search's lists, that the index must find (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> None:
    """Write the artefact and say what it holds."""
    opened = open_run(args, args.folder, "RUN")
    item_ids = opened.item_ids[ORIGINAL_ID].tolist()
    texts = ItemTexts(*(_column(opened.item_ids, name) for name in (TITLE, IMAGE)))
    encoders, words = read_encoders(opened.folder)
    export_model(
        opened.model,
        opened.data,
        args.out,
        user_ids=opened.user_ids[ORIGINAL_ID].tolist(),
        item_ids=item_ids,
        texts=texts,
        words=words,
        about=about(opened) | {"encoders": encoders},
    )
    if args.parquet:
        write_vectors(args.out)
    size = sum(path.stat().st_size for path in args.out.iterdir()) / 2**20
    print(
        f"'{args.out}': {opened.record['model']} of {len(opened.user_ids)} users and "
        f"{len(item_ids)} items, {_told(texts)}, {size:.1f} MB"
    )
    if args.index is not None:
        made = add_index(args.out, least_recall=args.least_recall)
        print(
            f"an index of {made.cells} cells, {made.probes} looked into, finds {made.recall:.1%} "
            f"of what exact search does, for {made.users} users"
        )


def read_encoders(folder: Path | None) -> tuple[dict[str, str], WordProjection | None]:
    """By what new items are encoded as those of the data were.

    Args:
        folder: of the data; ``None`` where they are drawn.

    Returns:
        What each modality was made by, as far as it is noted, and what the light encoder of texts
        has learned.
    """
    if folder is None or not (folder / METADATA).is_file():
        return {}, None
    noted = read_json(folder / METADATA).get("encoders", {})
    words = WordProjection.load(folder / WORDS) if (folder / WORDS).is_file() else None
    return noted, words


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

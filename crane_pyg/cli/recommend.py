"""``python -m crane_pyg recommend``."""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from crane_pyg.choices import options_of
from crane_pyg.cli import options
from crane_pyg.datasets import MultimodalDataset
from crane_pyg.datasets.columns import ORIGINAL_ID, TITLE
from crane_pyg.datasets.ids import read_ids
from crane_pyg.files import write_text
from crane_pyg.seals import read_record
from crane_pyg.training import load_model, recommend
from crane_pyg.training.identity import differences
from crane_pyg.training.recommend import Exclusion


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    options.add_data(parser)
    parser.add_argument(
        "--run", dest="folder", type=Path, required=True, metavar="DIR", help="the training's --out"
    )
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--users", metavar="A,B,...", help="their ids (default: all users)")
    who.add_argument("--users-file", type=Path, metavar="FILE", help="an id per line")
    parser.add_argument("--k", type=int, default=10, help="items for each user")
    parser.add_argument(
        "--exclude",
        choices=options_of(Exclusion),
        default="seen",
        help="what is not recommended: a user's items of all splits, those of training, or nothing",
    )
    options.add_device(parser)
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="in the place of the screen")


def run(args: argparse.Namespace) -> None:
    """Print the recommendations as CSV, or write them."""
    path, note = args.folder / "model.safetensors", args.folder / "run.json"
    for needed in (path, note):
        if not needed.is_file():
            raise ValueError(f"--run must be the --out of a training (got no '{needed}')")
    device = options.device(args.device)
    dataset = options.load(args)
    if differing := differences(read_record(note)["data"], options.identify(args, dataset)):
        raise ValueError(
            f"'{args.folder}' was trained on other data (got, there and now: {differing})"
        )
    data = dataset[0]
    model = load_model(path, data).to(device)
    folder = dataset.folder if isinstance(dataset, MultimodalDataset) else None
    user_ids = _ids(folder, "users", data["user"].num_nodes, data["user"].get("original_id"))
    item_ids = _ids(folder, "items", data["item"].num_nodes)
    users = _users(args, user_ids)
    items, scores = (
        part.cpu()
        for part in recommend(model, data.to(device), users, args.k, exclude=args.exclude)
    )
    row, place = (items >= 0).nonzero(as_tuple=True)
    item = items[row, place].numpy()
    table = pd.DataFrame(
        {
            "user": user_ids[ORIGINAL_ID].to_numpy()[users[row].numpy()],
            "rank": place.numpy() + 1,
            "item": item_ids[ORIGINAL_ID].to_numpy()[item],
            "score": scores[row, place].numpy(),
        }
    )
    if TITLE in item_ids:
        table[TITLE] = item_ids[TITLE].to_numpy()[item]
    text = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    if args.out is None:
        print(text, end="")
    else:
        write_text(args.out, text)


def _ids(folder: Path | None, kind: str, size: int, former: Any = None) -> pd.DataFrame:
    """The original ids of users or items from their file; without one, their numbers."""
    numbers = range(size) if former is None else former.tolist()
    table = None if folder is None else read_ids(folder, kind, max(numbers, default=-1) + 1)
    if table is None:
        return pd.DataFrame({ORIGINAL_ID: [str(number) for number in numbers]})
    return table.iloc[list(numbers)].reset_index(drop=True)


def _users(args: argparse.Namespace, ids: pd.DataFrame) -> torch.Tensor:
    if args.users is None and args.users_file is None:
        return torch.arange(len(ids))
    if args.users_file is None:
        wanted = args.users.split(",")
    else:
        wanted = args.users_file.read_text(encoding="utf-8-sig").splitlines()
    place = pd.Series(range(len(ids)), index=ids[ORIGINAL_ID])
    unknown = [user for user in wanted if user not in place.index]
    if unknown:
        known = json.dumps(ids[ORIGINAL_ID][:3].tolist(), ensure_ascii=False)
        raise ValueError(
            f"every user must be one of the data's, such as {known} "
            f"(got {len(unknown)} unknown: {', '.join(map(repr, unknown[:5]))})"
        )
    return torch.tensor(place[wanted].tolist(), dtype=torch.long)

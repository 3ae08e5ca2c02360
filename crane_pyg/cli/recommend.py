"""``python -m crane_pyg recommend``."""

import argparse
import csv
import json
import re
import sys
from pathlib import Path
from typing import Literal

import pandas as pd
import torch

from crane_pyg import ranks
from crane_pyg.choices import options_of
from crane_pyg.cli import options
from crane_pyg.cli.run_folder import open_run
from crane_pyg.datasets.columns import ORIGINAL_ID, TITLE
from crane_pyg.files import write_text
from crane_pyg.limits import read_json, read_short_text, shown
from crane_pyg.training import recommend
from crane_pyg.training.recommend import Exclusion


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    options.add_data(parser)
    parser.add_argument(
        "--run", dest="folder", type=Path, required=True, metavar="DIR", help="the training's --out"
    )
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--users", metavar="A,B,...", help="their ids (default: all users)")
    who.add_argument(
        "--users-file", type=Path, metavar="FILE", help="an id per line, or a .json list"
    )
    parser.add_argument("--k", type=int, default=10, help="items for each user")
    parser.add_argument(
        "--exclude",
        choices=options_of(Exclusion),
        default="seen",
        help="what is not recommended: a user's items of all splits, those of training, or nothing",
    )
    parser.add_argument(
        "--escape-formulas",
        action=argparse.BooleanOptionalAction,
        help="an apostrophe before text that a spreadsheet takes for a formula (default: where "
        "there are titles)",
    )
    options.add_device(parser)
    parser.add_argument("--out", type=Path, metavar="FILE.csv", help="in the place of the screen")


def run(args: argparse.Namespace) -> None:
    """Print the recommendations as CSV, or write them."""
    device = options.device(args.device)
    opened = open_run(args, args.folder, "--run")
    model, data, user_ids, item_ids = (
        opened.model.to(device),
        opened.data,
        opened.user_ids,
        opened.item_ids,
    )
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
    escape = TITLE in table if args.escape_formulas is None else args.escape_formulas
    text = _to_csv(table, escape)
    if args.out is not None:
        if ranks.is_first():
            write_text(args.out, text)
            print(f"'{args.out}': {len(table):,} recommendations to {len(users):,} users")
        return
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the ids must be characters of the screen, or go to a file with --out (got {error})"
        ) from error
    print(text, end="")


def _to_csv(table: pd.DataFrame, escape_formulas: bool) -> str:
    texts = table.select_dtypes(exclude="number").columns
    if escape_formulas:
        table = table.assign(**{column: table[column].map(_escaped) for column in texts})
    # A carriage return is quoted if all text is; a reader would take it for the end of a row.
    returns = any(table[column].str.contains("\r", regex=False).any() for column in texts)
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    return table.to_csv(index=False, float_format="%.6g", lineterminator="\n", quoting=quoting)


def _escaped(cell: str) -> str:
    """The cell, with an apostrophe before what begins as a formula does and is no number."""
    is_number = re.fullmatch(r"[+-]?\d+(\.\d+)?", cell, re.ASCII)
    return (
        f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) and not is_number else cell
    )


def _users(args: argparse.Namespace, ids: pd.DataFrame) -> torch.Tensor:
    if args.users is None and args.users_file is None:
        return torch.arange(len(ids))
    if args.users_file is None:
        wanted = args.users.split(",")
    else:
        wanted = _listed(args.users_file, set(ids[ORIGINAL_ID]))
    place = pd.Series(range(len(ids)), index=ids[ORIGINAL_ID])
    unknown = [user for user in wanted if user not in place.index]
    if unknown:
        known = json.dumps(ids[ORIGINAL_ID][:3].tolist(), ensure_ascii=False)
        raise ValueError(
            f"every user must be one of the data's, such as {known} "
            f"(got {len(unknown)} unknown: {', '.join(map(shown, unknown[:5]))})"
        )
    return torch.tensor(place[wanted].tolist(), dtype=torch.long)


def _listed(path: Path, known: set[str]) -> list[str]:
    """The ids of a file. Lines end at line feeds alone: ids may hold other ends of lines."""
    if path.suffix == ".json":
        wanted = read_json(path)
        if not isinstance(wanted, list) or not all(isinstance(user, str) for user in wanted):
            raise ValueError(f"'{path}' must hold a JSON list of ids (got {shown(wanted)})")
        return wanted
    lines = read_short_text(path).removesuffix("\n").split("\n")
    if all(line.endswith("\r") and line not in known for line in lines):  # of Windows
        lines = [line[:-1] for line in lines]
    first = "\ufeff" + lines[0]  # was it the file's mark, or the id's?
    return [first, *lines[1:]] if first in known and lines[0] not in known else lines

"""Small data sets, written as other programs write theirs."""

import csv

import numpy as np
import pandas as pd

from crane_pyg.preparation import open_folder, prepare

USERS, ITEMS = 10, 8
PAIRS = [(u, i) for u in range(USERS) for i in range(ITEMS) if (u + i) % 3]


def prepared(folder, format=None, **options):
    """Prepares a folder; returns the report and the table of pairs by original ids."""
    shown = []
    out = folder / "out"
    report = prepare(
        open_folder(folder, format), out, name="x", overwrite=True, show=shown.append, **options
    )
    names = {kind: originals(out / f"{kind}.csv") for kind in ("users", "items")}
    table = pd.read_csv(out / "x.inter", sep="\t")
    table["user"] = [names["users"][number] for number in table["userID"]]
    table["item"] = [names["items"][number] for number in table["itemID"]]
    return report, table, shown


def originals(path):
    with path.open(newline="", encoding="utf-8") as file:
        return [row["original_id"] for row in csv.DictReader(file)]


def pairs_of(table, label=None):
    rows = table if label is None else table[table["x_label"] == label]
    return set(zip(rows["user"], rows["item"], strict=True))


def features_by_id(folder, modality):
    rows = np.load(folder / "out" / f"{modality}_feat.npy")
    return dict(zip(originals(folder / "out" / "items.csv"), rows.round(4).tolist(), strict=True))


def write(path, *lines, encoding="utf-8"):
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))

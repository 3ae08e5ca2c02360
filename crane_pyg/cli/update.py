"""``python -m crane_pyg update``."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch_geometric.data import HeteroData

from crane_pyg.cli import options
from crane_pyg.cli.export import read_encoders
from crane_pyg.cli.run_folder import NOTE, RESULT, WEIGHTS, Run, add_run, open_run
from crane_pyg.datasets import load_dataset
from crane_pyg.datasets.columns import IMAGE, ITEM, LABEL, ORIGINAL_ID, TITLE, USER
from crane_pyg.datasets.folder import whole_folder
from crane_pyg.datasets.writer import fill_folder
from crane_pyg.encoders.later_items import LaterItemEncoder
from crane_pyg.experiments import Measurement, split_settings
from crane_pyg.files import write_text
from crane_pyg.preparation.appended import Appended, append_interactions
from crane_pyg.preparation.later_items import encode_later_items
from crane_pyg.preparation.pipeline import WORDS
from crane_pyg.schema import USER_TO_ITEM, modalities, sizes
from crane_pyg.seals import write_record
from crane_pyg.training import fit, save_model
from crane_pyg.training.growth import grow
from crane_pyg.training.identity import VERSIONS
from crane_pyg.training.saved_model import skeleton_like

DATA = "data"  # the folder of old and new interactions in that of the run


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_run(parser)
    parser.add_argument(
        "--interactions",
        type=Path,
        required=True,
        metavar="FILE",
        help="the new ones: CSV, TSV or parquet with original ids, as prepare takes them",
    )
    parser.add_argument(
        "--items",
        type=Path,
        metavar="FILE",
        help="table of new items: titles, and texts and pictures, which are encoded as the others",
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="folder of the new items' pictures"
    )
    parser.add_argument(
        "--features",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="computed features of new items, as prepare takes them; repeatable",
    )
    parser.add_argument("--epochs", type=int, default=5, help="over old and new interactions")
    options.add_device(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="new folder of the updated run"
    )


def run(args: argparse.Namespace) -> None:
    """Write the run that goes on with the new interactions, and the data that it was trained on."""
    device = options.device(args.device)
    opened = open_run(args, args.folder, "RUN")
    appended = _append(args, opened)
    encoders, words = read_encoders(opened.folder)
    with whole_folder(args.out) as folder:
        (folder / DATA).mkdir()
        about_items = {TITLE: appended.titles, IMAGE: appended.pictures}
        fill_folder(
            folder / DATA,
            str(opened.record["data"]["dataset"]),
            appended.interactions,
            users=appended.user_ids,
            items=appended.item_ids,
            features=appended.features,
            about_items={name: lines for name, lines in about_items.items() if lines},
            metadata={"encoders": encoders} if encoders else None,
        )
        if words is not None:
            words.save(folder / DATA / WORDS)
        record = _train(args, opened, folder, device)
    before, now = sizes(opened.data), (len(appended.user_ids), len(appended.item_ids))
    print(
        f"'{args.out}': {appended.num_new} new interactions, {now[0] - before[0]} new users, "
        f"{now[1] - before[1]} new items; its data are '{args.out / DATA}'; "
        + ", ".join(f"{split} {_told(record[split])}" for split in ("val", "test"))
    )


def _append(args: argparse.Namespace, opened: Run) -> Appended:
    store = opened.data["item"]
    files = {}
    for given in args.features:
        name, equals, path = given.partition("=")
        if not equals or f"x_{name}" not in store:
            known = ", ".join(modalities(opened.data))
            raise ValueError(f"--features expects NAME=FILE of {known} (got {given!r})")
        files[name] = Path(path)
    if args.images is not None and args.items is None:
        raise ValueError("--images needs --items, the table of the new items (got none)")
    appended = append_interactions(
        _table(opened.data),
        opened.user_ids[ORIGINAL_ID].tolist(),
        opened.item_ids,
        {m: store[f"x_{m}"].numpy() for m in modalities(opened.data)},
        args.interactions,
        new_items=args.items,
        new_features=files,
    )
    encoders, words = read_encoders(opened.folder)
    wanted = {m: how for m, how in encoders.items() if m in appended.features and m not in files}
    before, added = len(opened.item_ids), appended.item_ids[len(opened.item_ids) :]
    if args.items is not None and wanted and added:
        encoder = LaterItemEncoder(wanted, words)
        found = encode_later_items(args.items, added, encoder, args.images)
        for place, row in enumerate(found, before):
            for m, values in row.items():
                appended.features[m][place] = values
    return appended


def _table(data: HeteroData) -> pd.DataFrame:
    store = data[USER_TO_ITEM]
    parts = [store.edge_index, store.val_edge_label_index, store.test_edge_label_index]
    label = np.repeat(np.arange(len(parts)), [part.size(1) for part in parts])
    user, item = torch.cat(parts, dim=1).numpy()
    return pd.DataFrame({USER: user, ITEM: item, LABEL: label})


def _train(
    args: argparse.Namespace, opened: Run, folder: Path, device: torch.device
) -> dict[str, Any]:
    """Goes on with the weights, and writes what a training writes."""
    dataset = load_dataset(folder / DATA)
    data, before = dataset[0], opened.record
    print(dataset.report, file=sys.stderr)
    model, own = skeleton_like(args.folder / WEIGHTS, data)
    grow(opened.model, model, sizes(opened.data), data)
    _, fit_settings = split_settings(before["settings"])
    fit_settings |= {"epochs": args.epochs, "patience": args.epochs}
    result = fit(
        model,
        data,
        **fit_settings,
        protocol=before["protocol"],
        seed=before["seed"],
        device=device,
        progress=sys.stderr.isatty(),
    )
    record = {
        "model": before["model"],
        "dataset": dataset.name,
        "protocol": before["protocol"],
        "seed": before["seed"],
        **result.summary(),
        **Measurement(before["protocol"])(model, data.to(device)),
    }
    plain = argparse.Namespace(split="given", split_seed=0, min_interactions=0, missing="mask")
    identity = {"data": options.identify(plain, dataset), "updated_from": before["data"]}
    save_model(model, before["model"], own, folder / WEIGHTS)
    write_text(folder / "history.csv", result.to_frame().to_csv())
    write_text(folder / RESULT, json.dumps(record, indent=2) + "\n")
    write_record(folder / NOTE, {**before, **identity, "versions": VERSIONS})
    return record


def _told(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {scores[name]:.4f}" for name in ("Recall@20", "NDCG@20"))

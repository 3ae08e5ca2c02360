"""``python -m crane_pyg train``."""

import argparse
import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from crane_pyg import ranks
from crane_pyg.choices import options_of
from crane_pyg.cli import options
from crane_pyg.cli.run_folder import NOTE, RESULT, WEIGHTS
from crane_pyg.experiments import (
    Measurement,
    complete_settings,
    construct_model,
    degree_range,
    split_settings,
)
from crane_pyg.experiments.folder import claim_folder, hold_folder
from crane_pyg.experiments.settings import settings_with_defaults
from crane_pyg.files import write_text
from crane_pyg.nn.models import MODELS
from crane_pyg.training import fit, save_model
from crane_pyg.training.callbacks import call_each
from crane_pyg.training.evaluation import HeldOutSplit
from crane_pyg.training.history import HistoryFile
from crane_pyg.training.identity import VERSIONS
from crane_pyg.training.metrics import check_metrics
from crane_pyg.training.trackers import Tracker, TrackerName, open_tracker

COLUMNS = 8  # of scores, side by side


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    options.add_data(parser)
    parser.add_argument("--model", choices=sorted(MODELS), default="crane")
    parser.add_argument(
        "--preset", help="the model's published settings for a data set, training's included"
    )
    options.add_settings_file(parser)
    options.add_settings(parser)
    options.add_protocol(parser)
    options.add_measures(parser)
    options.add_training(parser)
    parser.add_argument("--seed", type=options.seed, default=0)
    parser.add_argument(
        "--out", type=Path, help="folder for results; a killed run started again goes on from it"
    )
    parser.add_argument(
        "--track",
        choices=options_of(TrackerName),
        help="also keep the numbers with a tracking service, whose package is needed",
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON object")


def run(args: argparse.Namespace) -> None:
    """Train and test one model, print its scores, keep what --out asks for."""
    writes = args.out is not None and ranks.is_first()
    with hold_folder(args.out) if writes else nullcontext():
        _run(args)


def _run(args: argparse.Namespace) -> None:
    settings = complete_settings(args.model, options.given(args, args.model), args.preset)
    own, fit_settings = split_settings(settings)
    device = options.device(args.device)
    dataset = options.load(args)
    data = dataset[0]
    measure = Measurement(args.protocol, options.metrics(args), args.by_degree)
    check_metrics(measure.metrics, data)
    model = construct_model(args.model, data, settings, args.seed)
    written = args.out if ranks.is_first() else None
    if written is not None:
        claim_folder(written / NOTE, _identity(args, settings, dataset))
    ranks.barrier()  # what the first rank refuses none begins
    options.say(args, dataset.report)
    with _tracker(args, settings, dataset) as tracker:
        history = None if written is None else HistoryFile(written / "history.csv")
        result = fit(
            model,
            data,
            **fit_settings,
            protocol=args.protocol,
            seed=args.seed,
            device=device,
            checkpoint=None if args.out is None else args.out / "checkpoint.pt",
            progress=not args.quiet,
            callback=call_each(history, tracker),
        )
        record = {
            "model": args.model,
            "dataset": dataset.name,
            "protocol": args.protocol,
            "seed": args.seed,
            "world_size": ranks.size(),
            **result.summary(),
            **measure(model, data.to(device)),
        }
        if tracker is not None:
            tracker.finish(record["test"])
    if history is not None:
        history.finish()
    if args.out is not None:
        save_model(model, args.model, own, args.out / WEIGHTS)
    if written is not None:
        write_text(written / RESULT, json.dumps(record, indent=2) + "\n")
    if args.json:
        options.say(args, _table(record))
        print(json.dumps(record))
    else:
        print(_table(record))


def _tracker(
    args: argparse.Namespace, settings: dict[str, Any], dataset: Any
) -> AbstractContextManager[Tracker | None]:
    if args.track is None or not ranks.is_first():
        return nullcontext()
    about = {"model": args.model, "dataset": dataset.name, "protocol": args.protocol}
    name = f"{args.model}-{dataset.name}-{args.seed}"
    return open_tracker(args.track, name, about | {"seed": args.seed} | settings, args.out)


def _identity(args: argparse.Namespace, settings: dict[str, Any], dataset: Any) -> dict[str, Any]:
    """All that decides the result; how long to train may change, see :func:`fit`."""
    full = settings_with_defaults(args.model, settings)
    return {
        "data": options.identify(args, dataset),
        "model": args.model,
        "settings": {k: v for k, v in full.items() if k not in ("epochs", "patience")},
        "protocol": args.protocol,
        "seed": args.seed,
        "versions": VERSIONS,
    }


def _table(record: dict[str, Any]) -> str:
    head = (
        f"{record['model']} on {record['dataset']}, protocol {record['protocol']}, seed "
        f"{record['seed']}: best epoch {record['best_epoch']} of {record['epochs']}, "
        f"{record['seconds_per_epoch']:.2f} s an epoch, {record['peak_memory_mb']:.0f} MB"
    )
    names = list(record["test"])
    rows = []
    for start in range(0, len(names), COLUMNS):
        block = names[start : start + COLUMNS]
        rows.append(["", *block])
        rows += [
            [split, *(f"{record[split][name]:.4f}" for name in block)]
            for split in options_of(HeldOutSplit)
        ]
    for by, groups in record.get("by_degree", {}).items():
        _, _, count, *scores = groups[0]  # behind the ends of the range
        rows.append([f"{by} degree", count, *scores])
        for group in groups:
            cells = (f"{group[name]:.4f}" for name in scores)
            rows.append([degree_range(group), str(group[count]), *cells])
    width = max(11, *(len(cell) + 2 for row in rows for cell in row))
    return "\n".join([head, *("".join(f"{cell:>{width}}" for cell in row) for row in rows)])

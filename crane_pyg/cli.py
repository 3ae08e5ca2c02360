"""``python -m crane_pyg``: what a person runs."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch_geometric.seed import seed_everything

from crane_pyg.datasets import load_dataset
from crane_pyg.nn.models import MODELS
from crane_pyg.training import PROTOCOLS, evaluate, fit, save_model


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; a mistake of the user's ends in one line and exit status 2."""
    args = _parser().parse_args(argv)
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        args.run(args)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m crane_pyg", description="Multimodal recommendation on graphs."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser(
        "train",
        help="train a model and test it",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    train.set_defaults(run=_train)
    train.add_argument(
        "data", help="folder with NAME.inter and MODALITY_feat.npy files, or a synthetic preset"
    )
    train.add_argument("--model", choices=sorted(MODELS), default="crane")
    train.add_argument("--preset", help="the model's published settings for a data set")
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an argument of the model's constructor, as JSON or a plain word; repeatable",
    )
    train.add_argument("--split", choices=["given", "random"], default="given")
    train.add_argument("--split-seed", type=int, default=0, help="of --split random or the preset")
    train.add_argument("--min-interactions", type=int, default=0, help="drop users with fewer")
    train.add_argument("--protocol", choices=PROTOCOLS, default="strict")
    train.add_argument("--epochs", type=int, default=250)
    train.add_argument("--batch-size", type=int, default=1024)
    train.add_argument("--lr", type=float, default=1e-3)
    train.add_argument("--patience", type=int, default=10, help="evaluations without improvement")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    train.add_argument(
        "--out", type=Path, help="folder for results; a killed run started again goes on from it"
    )
    train.add_argument("--json", action="store_true", help="end with one JSON object")
    return parser


def _train(args: argparse.Namespace) -> None:
    dataset = load_dataset(
        args.data,
        split=args.split,
        seed=args.split_seed,
        min_user_interactions=args.min_interactions,
    )
    print(dataset.report, file=sys.stderr)
    data = dataset[0]
    seed_everything(args.seed)
    settings = _settings(args)
    model = _construct(args.model, data, settings)
    result = fit(
        model,
        data,
        epochs=args.epochs,
        batch_size=args.batch_size,
        lr=args.lr,
        patience=args.patience,
        protocol=args.protocol,
        seed=args.seed,
        device=args.device,
        checkpoint=None if args.out is None else args.out / "checkpoint.pt",
        progress=sys.stderr.isatty(),
    )
    scores = {
        split: evaluate(model, data.to(args.device), name, protocol=args.protocol)
        for split, name in {"valid": "val", "test": "test"}.items()
    }
    record = {
        "model": args.model,
        "dataset": dataset.name,
        "protocol": args.protocol,
        "seed": args.seed,
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "seconds_per_epoch": result.seconds_per_epoch,
        "peak_memory_mb": result.peak_memory_mb,
        **scores,
    }
    if args.out is not None:
        save_model(model, args.model, settings, args.out / "model.safetensors")
        result.to_frame().to_csv(args.out / "history.csv")
        (args.out / "result.json").write_text(json.dumps(record, indent=2) + "\n")
    print(_table(record), file=sys.stderr if args.json else sys.stdout)
    if args.json:
        print(json.dumps(record))


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if args.preset is not None:
        settings |= MODELS[args.model].preset(args.preset).model
    for item in args.set:
        name, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"--set expects NAME=VALUE (got {item!r})")
        try:
            settings[name] = json.loads(value)
        except json.JSONDecodeError:
            settings[name] = value
    return settings


def _construct(name: str, data: Any, settings: dict[str, Any]) -> Any:
    try:
        return MODELS[name].from_data(data, **settings)
    except TypeError as error:
        raise ValueError(f"{name} does not take these settings: {error}") from error


def _table(record: dict[str, Any]) -> str:
    head = (
        f"{record['model']} on {record['dataset']}, protocol {record['protocol']}, seed "
        f"{record['seed']}: best epoch {record['best_epoch']} of {record['epochs']}, "
        f"{record['seconds_per_epoch']:.2f} s an epoch, {record['peak_memory_mb']:.0f} MB"
    )
    names = list(record["test"])
    rows = ["".join(f"{cell:>11}" for cell in ["", *names])]
    rows += [
        f"{split:>11}" + "".join(f"{record[split][name]:>11.4f}" for name in names)
        for split in ("valid", "test")
    ]
    return "\n".join([head, *rows])

"""``python -m crane_pyg``: what a person runs."""

import argparse
import inspect
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args

import torch
from torch_geometric.seed import seed_everything

from crane_pyg.datasets import load_dataset
from crane_pyg.nn.models import MODELS
from crane_pyg.training import PROTOCOLS, evaluate, fit, save_model

FIT_DEFAULTS: dict[str, Any] = {"epochs": 250, "batch_size": 1024, "lr": 1e-3, "patience": 10}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; a mistake of the user's ends in one line and exit status 2."""
    args = _parser().parse_args(argv)
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        args.run(args)
    except (ValueError, OSError) as error:
        print("error:", *str(error).split(), file=sys.stderr)
        raise SystemExit(2) from error


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m crane_pyg", description="Multimodal recommendation on graphs.")
    parser.set_defaults(run=lambda args: parser.print_help())
    commands = parser.add_subparsers(metavar="COMMAND")
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
    train.add_argument(
        "--preset", help="the model's published settings for a data set, training's included"
    )
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
    fit_helps = {
        "epochs": "upper limit",
        "batch_size": "interactions per step",
        "lr": "learning rate",
        "patience": "evaluations without improvement before training stops",
    }
    for name, value in FIT_DEFAULTS.items():
        train.add_argument(
            "--" + name.replace("_", "-"),
            type=type(value),
            default=argparse.SUPPRESS,
            help=f"{fit_helps[name]} (default: the preset's, or {value})",
        )
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    train.add_argument(
        "--out", type=Path, help="folder for results; a killed run started again goes on from it"
    )
    train.add_argument("--json", action="store_true", help="end with one JSON object")
    return parser


def _train(args: argparse.Namespace) -> None:
    settings, fit_settings = _settings(args)
    device = _device(args.device)
    dataset = load_dataset(
        args.data,
        split=args.split,
        seed=args.split_seed,
        min_user_interactions=args.min_interactions,
    )
    data = dataset[0]
    seed_everything(args.seed)
    model = _construct(args.model, data, settings)
    print(dataset.report, file=sys.stderr)
    result = fit(
        model,
        data,
        **fit_settings,
        protocol=args.protocol,
        seed=args.seed,
        device=device,
        checkpoint=None if args.out is None else args.out / "checkpoint.pt",
        progress=sys.stderr.isatty(),
    )
    scores = {
        split: evaluate(model, data.to(device), name, protocol=args.protocol)
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


def _settings(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of the model and of ``fit``: the command line over the preset over defaults."""
    model: dict[str, Any] = {}
    fit_settings = dict(FIT_DEFAULTS)
    if args.preset is not None:
        preset = MODELS[args.model].preset(args.preset)
        model |= preset.model
        fit_settings |= preset.fit
    fit_settings |= {name: getattr(args, name) for name in FIT_DEFAULTS if hasattr(args, name)}
    return model | dict(_setting(args.model, item) for item in args.set), fit_settings


def _setting(model: str, item: str) -> tuple[str, Any]:
    """A checked argument of the model's constructor from NAME=VALUE."""
    known = {
        name: parameter.annotation
        for function in (MODELS[model], MODELS[model].from_data)
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ("num_users", "num_items", "modalities", "data", "kwargs")
    }
    name, equals, text = item.partition("=")
    if not equals:
        raise ValueError(f"--set expects NAME=VALUE (got {item!r})")
    if name not in known:
        raise ValueError(f"{model} has the settings {', '.join(sorted(known))} (got {name!r})")
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    kinds = get_args(known[name]) or (known[name],)
    if type(value) not in kinds and not (type(value) is int and float in kinds):
        kind = inspect.formatannotation(known[name])
        raise ValueError(f"{name} of {model} must be {kind} (got {text!r})")
    return name, value


def _device(name: str) -> torch.device:
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device must name one that is here (got {name!r})") from error


def _construct(name: str, data: Any, settings: dict[str, Any]) -> Any:
    try:
        return MODELS[name].from_data(data, **settings)
    except RuntimeError as error:  # torch's, of sizes that cannot be
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

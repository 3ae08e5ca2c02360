"""Options that commands share, and what they mean."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from crane_pyg import limits, ranks
from crane_pyg.choices import options_of
from crane_pyg.datasets import load_dataset
from crane_pyg.datasets.splits import Split
from crane_pyg.experiments import check_settings
from crane_pyg.limits import shown
from crane_pyg.ops.fill import Missing
from crane_pyg.training import DEFAULT_METRICS, TRAINING_DEFAULTS, Metric, TrainingSettings
from crane_pyg.training.evaluation import EvaluationProtocol
from crane_pyg.training.identity import fingerprint

TRAINING_HELPS = {
    "epochs": "upper limit",
    "batch_size": "interactions per step; users, for multivae",
    "steps_per_epoch": "the most: more data make larger batches, if none are given",
    "lr": "learning rate",
    "decay_epochs": "over so many epochs the learning rate falls to a tenth; 0 leaves it",
    "patience": "evaluations without improvement before training stops",
    "eval_every": "epochs between evaluations",
    "monitor": "the validation score that chooses the best epoch; GMean is of Recall and NDCG",
    "eval_users": "of more users in validation, rank so many, always the same",
    "average_epochs": "over so many epochs of steps the weights are averaged that are kept",
    "precision": "of the loss' products; bfloat16 halves what is read of neighbours",
}


_MORE_METRICS = [name for name in options_of(Metric) if name not in DEFAULT_METRICS]


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add what says which data to read and how; :func:`load` and :func:`about` need these."""
    add_source(parser)
    add_reading(parser)


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the name of the data."""
    parser.add_argument(
        "data",
        help="folder with NAME.inter and MODALITY_feat.npy files, or with the original files of "
        "Amazon in raw/; amazon:CATEGORY, downloaded to data/; or a synthetic preset",
    )


def add_split(parser: argparse.ArgumentParser) -> None:
    """Add how interactions are split."""
    parser.add_argument(
        "--split",
        choices=options_of(Split),
        default="given",
        help="given, by x_label; random; time: at two moments for all users; last: each user's "
        "last for test and the one before for val; cold: all interactions of a tenth of the items",
    )
    parser.add_argument(
        "--split-seed", type=seed, default=0, help="seed of the random or cold split, or the preset"
    )


def seed(text: str) -> int:
    """Returns the number that an option gives as a seed."""
    if not (text.isascii() and text.isdecimal() and int(text[:20]) < 2**32):
        raise argparse.ArgumentTypeError(f"a seed is an integer below 2**32 (got {shown(text)})")
    return int(text)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add how the data are read."""
    add_split(parser)
    parser.add_argument("--min-interactions", type=int, default=0, help="drop users with fewer")
    parser.add_argument(
        "--missing",
        choices=options_of(Missing),
        default="mask",
        help="what stands for features items lack",
    )


def add_training(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting of training, absent where it is not given, and --device."""
    for name, value in TRAINING_DEFAULTS._asdict().items():
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=int if value is None else type(value),
            choices=options_of(TrainingSettings.__annotations__[name]) or None,
            default=argparse.SUPPRESS,
            help=f"{TRAINING_HELPS[name]} (default: that of settings, preset or model, or {value})",
        )
    add_device(parser)
    add_quiet(parser)


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Add --quiet; :func:`say` heeds it."""
    parser.add_argument(
        "--quiet", action="store_true", help="say nothing but results, warnings and errors"
    )


def say(args: argparse.Namespace, text: object) -> None:
    """Tell a person what happens, on standard error, unless ``--quiet`` forbids it."""
    if not args.quiet:
        print(text, file=sys.stderr)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device."""
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default, help="where the model runs")


def add_protocol(parser: argparse.ArgumentParser) -> None:
    """Add the protocol of evaluation."""
    parser.add_argument(
        "--protocol",
        choices=options_of(EvaluationProtocol),
        default="strict",
        help="what evaluation leaves out of a user's ranking at test: strict, what they took in "
        "training and validation; mmrec, in training alone",
    )


def add_measures(parser: argparse.ArgumentParser) -> None:
    """Add what is measured; :func:`metrics` reads it."""
    parser.add_argument(
        "--metrics",
        type=_metrics,
        default=[],
        metavar="A,B,...",
        help=f"measured at 10 and 20 beside Recall and NDCG: {', '.join(_MORE_METRICS)}",
    )
    parser.add_argument(
        "--by-degree",
        action="store_true",
        help="test scores by the training interactions of users and of items, too",
    )


def _metrics(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in options_of(Metric):
            known = ", ".join(options_of(Metric))
            raise argparse.ArgumentTypeError(f"choose among {known} (got {name!r})")
    return names


def metrics(args: argparse.Namespace) -> list[Metric]:
    """Returns the metrics of ``--metrics`` behind those that are always measured."""
    return list(dict.fromkeys([*DEFAULT_METRICS, *args.metrics]))


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add --set."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the model or of training, as JSON or a plain word; repeatable",
    )


def add_settings_file(parser: argparse.ArgumentParser) -> None:
    """Add --settings."""
    parser.add_argument(
        "--settings",
        action="append",
        type=Path,
        default=[],
        metavar="FILE.json",
        help="settings by model, such as tune's best.json; repeatable",
    )


def load(args: argparse.Namespace) -> Any:
    """Returns the data set that the options of :func:`add_data` name."""
    return load_dataset(
        args.data,
        split=args.split,
        seed=args.split_seed,
        min_user_interactions=args.min_interactions,
        missing=args.missing,
    )


def about(args: argparse.Namespace, name: str) -> dict[str, Any]:
    """Describes the data; the runs of a folder must agree in this."""
    return {
        "dataset": name,
        "split": args.split,
        "split_seed": args.split_seed,
        "min_interactions": args.min_interactions,
        "missing": args.missing,
    }


def identify(args: argparse.Namespace, dataset: Any) -> dict[str, Any]:
    """Describes the data, and what exactly they are."""
    return about(args, dataset.name) | {"fingerprint": fingerprint(dataset[0])}


def device(name: str) -> torch.device:
    """Returns the device of this name; refuses one that is not here, or computes nothing."""
    try:
        found = torch.empty(0, device=ranks.own_device(torch.device(name))).device
        torch.ones(1, device=found).item()
        return found
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"--device must name one that is here (got {name!r})") from error


def given(args: argparse.Namespace, model: str) -> dict[str, Any]:
    """A model's settings from ``--settings``, ``--set`` and options of their own; the last wins."""
    settings: dict[str, Any] = {}
    for path in args.settings:
        settings |= _of_file(path, getattr(args, "models", [model])).get(model, {})
    settings |= dict(_setting(item) for item in getattr(args, "set", []))
    training = (name for name in TrainingSettings._fields if hasattr(args, name))
    return settings | {name: getattr(args, name) for name in training}


def _of_file(path: Path, models: Sequence[str]) -> dict[str, dict[str, Any]]:
    content = read_json(path)
    if not content.keys() & set(models):
        raise ValueError(
            f"{path} must have settings of {' or '.join(models)} (got {shown([*content])})"
        )
    for model, settings in content.items():
        if not isinstance(settings, Mapping):
            raise ValueError(
                f"{path} must have settings by model (got {shown(settings)} for {shown(model)})"
            )
        check_settings(model, settings)
    return content


def read_json(path: Path) -> dict[str, Any]:
    """Returns the object of a JSON file; refuses what is none."""
    content = limits.read_json(path)
    if not isinstance(content, dict):
        raise ValueError(f"'{path}' must hold a JSON object (got {shown(content)})")
    return content


def _setting(item: str) -> tuple[str, Any]:
    name, equals, text = item.partition("=")
    if not equals:
        raise ValueError(f"--set expects NAME=VALUE (got {item!r})")
    try:
        return name, json.loads(text)
    except (ValueError, RecursionError):  # a number of too many digits is a word too
        return name, text

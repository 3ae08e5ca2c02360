"""``python -m crane_pyg compare``."""

import argparse
import logging
from pathlib import Path
from typing import Any

from crane_pyg.cli import options
from crane_pyg.experiments import (
    complete_settings,
    markdown_by_degree,
    markdown_comparison,
    plot_comparison,
    run_grid,
    summarise_runs,
)
from crane_pyg.files import write_text
from crane_pyg.nn.models import MODELS

logger = logging.getLogger(__name__)

SEEDS = "9,672,5368,12784,2023"  # the paper's


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    options.add_data(parser)
    parser.add_argument(
        "--models", type=_models, required=True, metavar="A,B,...", help=", ".join(sorted(MODELS))
    )
    parser.add_argument("--seeds", type=_seeds, default=SEEDS, metavar="A,B,...", help="training's")
    parser.add_argument(
        "--preset", help="published settings for a data set, of each model that has them"
    )
    options.add_settings_file(parser)
    options.add_protocol(parser)
    options.add_measures(parser)
    options.add_training(parser)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for runs and table; what it holds is not trained again",
    )


def _models(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in MODELS:
            known = ", ".join(sorted(MODELS))
            raise argparse.ArgumentTypeError(f"choose among {known} (got {name!r})")
    return _distinct(names)


def _seeds(text: str) -> list[int]:
    return _distinct([options.seed(word) for word in text.split(",")])


def _distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) < len(values):
        raise argparse.ArgumentTypeError(f"name each once (got {','.join(map(str, values))})")
    return values


def run(args: argparse.Namespace) -> None:
    """Train, test and tabulate; exit status 1 if a run failed."""
    settings = _settings(args)
    device = options.device(args.device)
    dataset = options.load(args)
    options.say(args, dataset.report)
    runs = run_grid(
        dataset[0],
        settings,
        args.seeds,
        args.out,
        protocol=args.protocol,
        metrics=options.metrics(args),
        by_degree=args.by_degree,
        about=options.about(args, dataset.name),
        device=device,
        progress=not args.quiet,
    )
    seeds = ", ".join(map(str, args.seeds))
    head = f"{dataset.name}, protocol {args.protocol}, test, mean ± deviation over seeds {seeds}"
    parts = [head, markdown_comparison(runs)]
    if args.by_degree:
        parts.append(markdown_by_degree(runs))
    table = "\n\n".join(part.rstrip("\n") for part in parts if part) + "\n"
    write_text(args.out / "table.md", table)
    write_text(args.out / "table.csv", summarise_runs(runs).to_csv(index=False))
    try:
        plot_comparison(runs, args.out / "table.png")
    except ImportError:
        logger.warning("no table.png, which needs matplotlib: pip install 'crane-pyg[plot]'")
    print(table, end="")
    if any("error" in run for run in runs):
        raise SystemExit(1)


def _settings(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    settings, reasons = {}, {}
    for model in args.models:
        preset = args.preset
        if preset is not None:
            try:
                MODELS[model].preset(preset)
            except ValueError as error:
                reasons[model], preset = str(error), None
        settings[model] = complete_settings(model, options.given(args, model), preset)
    if len(reasons) == len(args.models):
        raise ValueError("; ".join(reasons.values()))
    for reason in reasons.values():
        logger.info("%s: its defaults", reason)
    return settings

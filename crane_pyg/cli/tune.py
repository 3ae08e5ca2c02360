"""``python -m crane_pyg tune``."""

import argparse
import json
from pathlib import Path
from typing import Any

from crane_pyg.cli import options
from crane_pyg.experiments import (
    SEARCH_SPACES,
    complete_settings,
    plan_search,
    search_settings,
)
from crane_pyg.experiments.search import check_limits
from crane_pyg.nn.models import MODELS


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    options.add_data(parser)
    parser.add_argument("--model", choices=sorted(MODELS), default="crane")
    parser.add_argument(
        "--trials",
        type=int,
        help="in total, those of earlier starts included (default: 20, or what --budget allows)",
    )
    parser.add_argument(
        "--budget",
        type=float,
        metavar="SECONDS",
        help="of training in total, those of earlier starts included",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what would be tried, after a timed epoch"
    )
    parser.add_argument(
        "--space",
        type=Path,
        metavar="FILE.json",
        help="lists of values by setting, in the place of the published ones; what other options "
        "give is not searched",
    )
    parser.add_argument("--preset", help="published settings that the search starts from")
    options.add_settings_file(parser)
    options.add_settings(parser)
    options.add_training(parser)
    parser.add_argument("--seed", type=options.seed, default=0, help="seed of search and training")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for trials; a second start goes on with it"
    )


def run(args: argparse.Namespace) -> None:
    """Say what is searched, search, and print the best settings as JSON."""
    trials = 20 if args.trials is None and args.budget is None else args.trials
    check_limits(trials, args.budget)
    given = options.given(args, args.model)
    settings = complete_settings(args.model, given, args.preset)
    space = SEARCH_SPACES.get(args.model) if args.space is None else options.read_json(args.space)
    if space is not None:  # what is given is not searched
        space = {name: values for name, values in space.items() if name not in given}
    device = options.device(args.device)
    dataset = options.load(args)
    options.say(args, dataset.report)
    search: dict[str, Any] = {
        "space": space,
        "settings": settings,
        "seed": args.seed,
        "device": device,
    }
    plan = plan_search(dataset[0], args.model, **search).describe(trials, args.budget)
    if args.dry_run:
        print(plan)
        return
    options.say(args, plan)
    best = search_settings(
        dataset[0],
        args.model,
        trials,
        args.out,
        budget=args.budget,
        about=options.about(args, dataset.name),
        progress=not args.quiet,
        **search,
    )
    print(json.dumps({args.model: best}, indent=2))

"""``python -m crane_pyg inspect``."""

import argparse
import json
import logging
import sys
from pathlib import Path

from crane_pyg.cli import options
from crane_pyg.cli.inspection_figure import plot_degrees, plot_features
from crane_pyg.files import write_text
from crane_pyg.inspection import inspect_dataset, to_markdown

logger = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    options.add_source(parser)
    options.add_split(parser)
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="writes report.md, inspect.json and figures"
    )
    parser.add_argument("--json", action="store_true", help="end with one JSON object")


def run(args: argparse.Namespace) -> None:
    """Print what is in the data; exit status 1 if something would make training wrong."""
    inspection = inspect_dataset(args.data, split=args.split, seed=args.split_seed)
    text, record = to_markdown(inspection), json.dumps(inspection.to_dict())
    print(text, end="", file=sys.stderr if args.json else sys.stdout)
    if args.json:
        print(record)
    if args.out is not None:
        write_text(args.out / "report.md", text)
        write_text(args.out / "inspect.json", record + "\n")
        try:
            plot_degrees(inspection, args.out / "degrees.png")
            plot_features(inspection, args.out / "features.png")
        except ImportError:
            logger.warning("no figures, which need matplotlib: pip install 'crane-pyg[plot]'")
    if inspection.errors:
        raise SystemExit(1)

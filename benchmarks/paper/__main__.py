"""``python -m benchmarks.paper NAME``: one table or figure, or all of them."""

import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.paper.job import Job
from benchmarks.paper.report import PARTS
from crane_pyg.cli import options
from crane_pyg.cli.parser import Parser
from crane_pyg.datasets.synthetic import PRESETS
from crane_pyg.experiments.folder import hold_folder
from crane_pyg.nn.models import MODELS

SEEDS = [9, 672, 5368, 12784, 2023]  # the paper's


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; ends as those of ``python -m crane_pyg`` do."""
    args = parser().parse_args(argv)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger().setLevel(logging.WARNING if args.quiet else logging.INFO)
    try:
        module = "report" if args.name == "all" else args.name
        with hold_folder(args.out):
            importlib.import_module(f"benchmarks.paper.{module}").run(Job(args.name, args))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except (ValueError, OSError) as error:
        print("error:", *str(error).split(), file=sys.stderr)
        raise SystemExit(2) from error
    text = args.out / ("report.md" if args.name == "all" else f"{args.name}/table.md")
    print(text.read_text(), end="")


def parser() -> Parser:
    """The command line."""
    parser = Parser(prog="python -m benchmarks.paper", description=__doc__)
    parser.add_argument("name", choices=[*PARTS, "all"], metavar="NAME", help=", ".join(PARTS))
    parser.add_argument("--data", required=True, help="folder, or a synthetic preset")
    options.add_reading(parser)
    options.add_protocol(parser)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="of training")
    options.add_settings_file(parser)
    options.add_settings(parser)
    options.add_training(parser)
    parser.add_argument("--heat-map-seeds", type=int, default=1, help="of the seeds, for figure5")
    parser.add_argument("--compare", type=Path, help="folder of compare, for table4")
    parser.add_argument(
        "--sizes", nargs="+", choices=PRESETS, default=[*PRESETS][-4:], help="for figure7"
    )
    parser.add_argument("--limit", type=float, default=600, help="seconds of a size, for figure7")
    parser.add_argument("--skip", nargs="+", choices=PARTS, default=[], help="for all")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder; what it holds is not trained again"
    )
    parser.set_defaults(models=[*MODELS])  # whose settings a file may hold
    return parser


if __name__ == "__main__":
    main()

"""``python -m crane_pyg``: what a person runs."""

import argparse
import io
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from crane_pyg import __version__, ranks
from crane_pyg.cli import (
    compare,
    completion,
    demo,
    doctor,
    export,
    inspect,
    prepare,
    recommend,
    serve,
    train,
    tune,
    update,
)
from crane_pyg.cli.options import Parser

_MOST = 2000  # characters of an error that people read

COMMANDS = {
    "prepare": (prepare, "make a data set of a log of interactions, texts, pictures, features"),
    "inspect": (inspect, "what is in a data set, and what is wrong with it"),
    "train": (train, "train a model and test it"),
    "compare": (compare, "train several models over several seeds and print their table"),
    "export": (export, "a trained model as a folder that is served without the data"),
    "recommend": (recommend, "what a trained model recommends to users, as a CSV"),
    "update": (update, "go on with new interactions, users and items, from what was trained"),
    "serve": (serve, "an exported model over HTTP, with a page of its own"),
    "demo": (demo, "a small shop: drawn, trained on, exported and served in a minute"),
    "tune": (tune, "search for a model's settings on validation"),
    "doctor": (doctor, "what this machine and installation have, and what would be faster"),
    "completion": (completion, "what a shell reads to complete the commands of crane-pyg"),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command.

    A mistake of the user's ends in one line and exit status 2, an interrupt in one line and 130;
    status 1 is for what was done and found wanting, as a run of ``compare`` that failed.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack characters of a report
            stream.reconfigure(errors="backslashreplace")
    try:
        with ranks.together():
            args = build_parser().parse_args(argv)
            logging.basicConfig(format="%(message)s", stream=sys.stderr)
            is_quiet = getattr(args, "quiet", False)
            logging.getLogger().setLevel(logging.WARNING if is_quiet else logging.INFO)
            _check_ranks(args)
            args.run(args)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except (ValueError, OSError, ranks.LostRankError) as error:
        text = str(error)
        cut = text if len(text) <= _MOST else f"{text[: _MOST // 2]} ... {text[-_MOST // 2 :]}"
        print("error:", *cut.split(), file=sys.stderr)
        raise SystemExit(2) from error


def _check_ranks(args: argparse.Namespace) -> None:
    if ranks.size() > 1 and args.run not in (train.run, recommend.run):
        raise ValueError(f"torchrun is for train and recommend (got {ranks.size()} ranks)")


def build_parser() -> Parser:
    typed = Path(sys.argv[0]).name
    prog = typed if typed == completion.PROGRAM else "python -m crane_pyg"
    parser = Parser(prog=prog, description="Multimodal recommendation on graphs.")
    parser.add_argument("--version", action="version", version=f"crane-pyg {__version__}")
    parser.set_defaults(run=lambda args: parser.print_help())
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, (module, help_text) in COMMANDS.items():
        command = commands.add_parser(name, help=help_text, description=help_text)
        module.add_options(command)
        command.set_defaults(run=module.run, parser=parser)
    return parser

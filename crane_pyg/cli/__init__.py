"""``python -m crane_pyg``: what a person runs.

The command that is asked for is imported, and no other: libraries of models take seconds.
"""

import io
import logging
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from crane_pyg import __version__
from crane_pyg.cli.completion import PROGRAM
from crane_pyg.cli.parser import Parser

_MOST = 2000  # characters of an error that people read

# By the module of this package that declares its options and runs it.
COMMANDS = {
    "prepare": "make a data set of a log of interactions, texts, pictures, features",
    "inspect": "what is in a data set, and what is wrong with it",
    "train": "train a model and test it",
    "compare": "train several models over several seeds and print their table",
    "export": "a trained model as a folder that is served without the data",
    "recommend": "what a trained model recommends to users, as a CSV",
    "update": "go on with new interactions, users and items, from what was trained",
    "serve": "an exported model over HTTP, with a page of its own",
    "demo": "a small shop: drawn, trained on, exported and served in a minute",
    "tune": "search for a model's settings on validation",
    "doctor": "what this machine and installation have, and what would be faster",
    "completion": "what a shell reads to complete the commands of crane-pyg",
}
TOGETHER = ("train", "recommend")
"""The commands that several ranks run together."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command.

    A mistake of the user's ends in one line and exit status 2, an interrupt in one line and 130;
    status 1 is for what was done and found wanting, as a run of ``compare`` that failed.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may lack characters of a report
            stream.reconfigure(errors="backslashreplace")
    words = sys.argv[1:] if argv is None else argv
    named = next((word for word in words if word in COMMANDS), None)
    try:
        with _ranks(named):
            args = build_parser(() if named is None else (named,)).parse_args(words)
            logging.basicConfig(format="%(message)s", stream=sys.stderr)
            is_quiet = getattr(args, "quiet", False)
            logging.getLogger().setLevel(logging.WARNING if is_quiet else logging.INFO)
            args.run(args)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except (ValueError, OSError) as error:
        text = str(error)
        cut = text if len(text) <= _MOST else f"{text[: _MOST // 2]} ... {text[-_MOST // 2 :]}"
        print("error:", *cut.split(), file=sys.stderr)
        raise SystemExit(2) from error


@contextmanager
def _ranks(named: str | None) -> Iterator[None]:
    """Joins the ranks that a launcher started, if this command is for several."""
    if "WORLD_SIZE" not in os.environ:
        yield
        return
    from crane_pyg import ranks

    with ranks.together():
        if ranks.size() > 1 and named not in (None, *TOGETHER):
            raise ValueError(f"torchrun is for {' and '.join(TOGETHER)} (got {ranks.size()} ranks)")
        yield


def build_parser(named: Collection[str] = tuple(COMMANDS)) -> Parser:
    """Returns the parser of the whole command line.

    Args:
        named: the commands whose options it knows. (default: all)
    """
    typed = Path(sys.argv[0]).name
    prog = typed if typed == PROGRAM else "python -m crane_pyg"
    parser = Parser(prog=prog, description="Multimodal recommendation on graphs.")
    parser.add_argument("--version", action="version", version=f"crane-pyg {__version__}")
    parser.set_defaults(run=lambda args: parser.print_help())
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, help_text in COMMANDS.items():
        command = commands.add_parser(name, help=help_text, description=help_text)
        if name in named:
            module = import_module(f"{__name__}.{name}")
            module.add_options(command)
            command.set_defaults(run=module.run)
    return parser

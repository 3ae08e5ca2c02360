"""``python -m crane_pyg completion``."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from crane_pyg.choices import options_of
from crane_pyg.cli.commands import PROGRAM, build_parser

Shell = Literal["bash", "zsh", "tcsh"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("shell", choices=options_of(Shell))


def run(args: argparse.Namespace) -> None:
    """Print what a shell reads to complete commands, their options, choices and files."""
    print(complete(build_parser(), args.shell))


def complete(parser: argparse.ArgumentParser, shell: Shell) -> str:
    """Returns what a shell reads.

    Args:
        parser: of the whole program, which is called ``crane-pyg`` from then on.
        shell: the shell.

    Raises:
        ValueError: if shtab is missing.
    """
    try:
        import shtab
    except ImportError as error:
        raise ValueError(
            "completion needs shtab: pip install 'crane-pyg[completion]' (got no such package)"
        ) from error
    for action in _actions(parser):
        if action.type is Path or action.dest == "data":
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    parser.prog = PROGRAM  # ``python -m crane_pyg`` belongs to Python
    return shtab.complete(parser, shell)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every action of a parser, and of the commands beneath it."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)

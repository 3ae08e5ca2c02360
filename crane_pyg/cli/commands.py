"""The commands, and the parser of the whole command line.

The command that is asked for is imported, and no other: libraries of models take seconds.
"""

import sys
from collections.abc import Collection
from importlib import import_module
from pathlib import Path

from crane_pyg import __version__
from crane_pyg.cli.parser import Parser

PROGRAM = "crane-pyg"  # as it is installed

# By the module beside this one that declares its options and runs it.
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
            module = import_module(f"crane_pyg.cli.{name}")
            module.add_options(command)
            command.set_defaults(run=module.run)
    return parser

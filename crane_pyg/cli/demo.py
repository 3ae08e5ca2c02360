"""``python -m crane_pyg demo``."""

import argparse
import shlex
from pathlib import Path
from types import ModuleType

from crane_pyg.cli import export, prepare, serve, train
from crane_pyg.cli.parser import Parser
from crane_pyg.demo import write_toy_shop
from crane_pyg.serving.artefact import NOTE


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("crane-demo"),
        metavar="DIR",
        help="keeps the files of the shop and the model (default: crane-demo); a second start "
        "serves what lies there",
    )
    serve.add_address(parser)


def run(args: argparse.Namespace) -> None:
    """Make the toy shop, train on it and serve it, showing each command."""
    serve.check(args)
    model = args.out / "model"
    if not (model / NOTE).is_file():
        write_toy_shop(args.out)
        _make(args.out, model)
    address = ["--host", args.host, "--port", str(args.port)]
    _call("serve", serve, [str(model), "--pictures", str(args.out / "pictures"), *address])


def _make(out: Path, model: Path) -> None:
    """The commands of the tutorial, one after another."""
    shop, trained, pictures = str(out / "shop"), str(out / "run"), str(out / "pictures")
    tables = ["--interactions", str(out / "log.csv"), "--items", str(out / "items.csv")]
    light = ["--text-encoder", "tfidf-svd", "--image-encoder", "colour-histogram+hog"]
    _call(
        "prepare",
        prepare,
        [*tables, "--images", pictures, *light, "--out", shop, "--overwrite"],
    )
    _call("train", train, [shop, "--model", "crane", "--device", "cpu", "--out", trained])
    _call("export", export, [trained, "--data", shop, "--out", str(model)])


def _call(name: str, command: ModuleType, words: list[str]) -> None:
    print(f"\n$ python -m crane_pyg {name} {shlex.join(words)}", flush=True)
    parser = Parser(prog=f"python -m crane_pyg {name}")
    command.add_options(parser)
    command.run(parser.parse_args(words))

"""``python -m crane_pyg serve``."""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("artefact", type=Path, metavar="MODEL", help="the --out of export")
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="DIR",
        help="the folder of the items' pictures; no other file is shown (default: none are)",
    )
    parser.add_argument(
        "--index",
        choices=["exact", "faiss"],
        default="exact",
        help="search all items, or by the index that export --index made (default: exact)",
    )
    add_address(parser)


def add_address(parser: argparse.ArgumentParser) -> None:
    """Declare the options that say where a server can be reached."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="the address to listen on: the default is for this machine alone, 0.0.0.0 for all who "
        "can reach it",
    )
    parser.add_argument("--port", type=int, default=8000, help="0 takes any that is free")


def run(args: argparse.Namespace) -> None:
    """Serve until an interrupt."""
    check(args)
    from crane_pyg.server import serve

    serve(
        args.artefact,
        pictures=args.pictures,
        host=args.host,
        port=args.port,
        index=args.index,
    )


def check(args: argparse.Namespace) -> None:
    """Refuse, before any work is done, an address that cannot be had, or a missing package.

    Raises:
        ValueError: saying which.
    """
    from importlib.util import find_spec

    if not 0 <= args.port < 2**16:
        raise ValueError(f"--port must lie between 0 and 65535 (got {args.port})")
    for package in ("fastapi", "uvicorn", "prometheus_client"):
        if find_spec(package) is None:
            raise ValueError(f"A server needs {package}: pip install 'crane-pyg[serve]' (got none)")
    from crane_pyg.server.run import listen

    listen(args.host, args.port).close()

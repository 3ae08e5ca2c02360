"""``python -m crane_pyg prepare``."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from crane_pyg.choices import options_of
from crane_pyg.cli import options
from crane_pyg.datasets.columns import Role
from crane_pyg.datasets.folder import hold_folder
from crane_pyg.datasets.splits import RATIO, Split
from crane_pyg.preparation import (
    Encoding,
    FormatName,
    Rules,
    Sources,
    open_folder,
    prepare,
    recognise_format,
)
from crane_pyg.preparation.sources import UnknownItems


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        help="a data set as another program keeps it, in the place of --interactions",
    )
    parser.add_argument(
        "--from",
        dest="format",
        choices=options_of(FormatName),
        help="which program's the folder is (default: recognised by its files)",
    )
    _add_sources(parser)
    _add_columns(parser)
    _add_rules(parser)
    encode = parser.add_argument_group("texts and pictures")
    encode.add_argument(
        "--text-encoder",
        default="auto",
        help="tfidf-svd, or a model of sentence-transformers; auto takes the latter if it is here",
    )
    encode.add_argument(
        "--image-encoder",
        default="auto",
        help="colour-histogram+hog or timm/NAME; auto takes a network if it is here",
    )
    encode.add_argument(
        "--cache", type=Path, default=_cache(), metavar="DIR", help="keeps what was encoded"
    )
    encode.add_argument("--strict", action="store_true", help="unreadable pictures are an error")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--name", help="name of the data set (default: the folder's)")
    parser.add_argument("--overwrite", action="store_true", help="replace a data set in --out")
    options.add_quiet(parser)


def _add_sources(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("files")
    table = "CSV or TSV (perhaps gzipped), or parquet"
    group.add_argument("--interactions", type=Path, metavar="FILE", help=table)
    group.add_argument("--items", type=Path, metavar="FILE", help=table)
    group.add_argument(
        "--images", type=Path, metavar="DIR", help="ITEM-ID.jpg, .png, ..., or see --image-column"
    )
    for option, what in (
        ("features", "features computed elsewhere: .npy, .npz, .pt or .parquet; repeatable"),
        ("ids", "whose the rows of --features NAME are: an id per line; repeatable"),
    ):
        group.add_argument(
            f"--{option}", action="append", type=_named, default=[], metavar="NAME=FILE", help=what
        )
    group.add_argument(
        "--delimiter", type=_delimiter, help="a character, or 'tab' (default: the header's)"
    )


def _add_columns(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("columns (default: those with a usual name)")
    for role in Role.OF_INTERACTIONS:
        group.add_argument(f"--{role}-column", metavar="NAME", help="column of the interactions")
    group.add_argument("--item-id-column", metavar="NAME", help="column of the items")
    group.add_argument("--text-columns", type=_list, metavar="A,B,...", help="columns of the items")
    group.add_argument(
        "--image-column",
        metavar="NAME",
        help="column of the items: paths in the folder of --images",
    )


def _add_rules(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what stays, and where it goes")
    group.add_argument("--min-rating", type=float, metavar="R", help="drop what is rated lower")
    group.add_argument(
        "--k-core",
        type=int,
        default=0,
        metavar="K",
        help="drop users and items with fewer interactions, until all have as many",
    )
    group.add_argument(
        "--min-interactions",
        type=int,
        default=0,
        metavar="K",
        help="drop users with fewer interactions",
    )
    group.add_argument(
        "--unknown-items",
        choices=options_of(UnknownItems),
        default="error",
        help="what becomes of interactions with items that are not in --items",
    )
    group.add_argument(
        "--split",
        choices=options_of(Split),
        help="random; time: at two moments for all users; last: each user's last for test and the "
        "one before for val; cold: all interactions of a tenth of the items, half for each; given: "
        "by --label-column, or by the folder's files (default: given if these tell one, else "
        "random)",
    )
    group.add_argument(
        "--ratio",
        type=_ratio,
        default=",".join(map(str, RATIO)),
        help="shares of train, val and test, for random and time",
    )
    group.add_argument(
        "--split-seed",
        type=options.seed,
        default=0,
        help="seed of the random or cold split, or "
        "of the val that is drawn from train where none is given",
    )


def run(args: argparse.Namespace) -> None:
    """Make the data set, and print what was read, dropped and not found."""
    sources = _sources(args)
    rules = Rules(
        min_rating=args.min_rating,
        k_core=args.k_core,
        min_interactions=args.min_interactions,
        split=args.split or sources.split or "random",
        ratio=args.ratio,
        seed=args.split_seed,
    )
    encoding = Encoding(
        args.text_encoder, args.image_encoder, args.cache, args.strict, not args.quiet
    )
    with hold_folder(args.out):
        report = prepare(
            sources,
            args.out,
            name=args.name,
            rules=rules,
            encoding=encoding,
            unknown_items=args.unknown_items,
            overwrite=args.overwrite,
            show=lambda line: options.say(args, line),
        )
    print(report)


def _sources(args: argparse.Namespace) -> Sources:
    """What a folder holds, or no more than the log, with what the options say of it or add."""
    if (args.folder is None) == (args.interactions is None):
        raise ValueError(
            f"prepare needs --interactions or the folder of a data set, one of them "
            f"(got {'neither' if args.folder is None else 'both'})"
        )
    if args.folder is None:
        if args.format is not None:
            raise ValueError(f"--from needs the folder of a data set (got {args.format} alone)")
        found = Sources(args.interactions)
    else:
        name = args.format or recognise_format(args.folder)
        options.say(args, f"{args.folder}: taken for {name}")
        found = open_folder(args.folder, name)
    columns = {role: getattr(args, f"{role}_column") for role in Role.OF_INTERACTIONS}
    features = _distinct("--features", args.features)
    ids = {modality: rows for modality, rows in found.ids.items() if modality not in features}
    texts = found.text_columns if args.items is None else None
    return replace(
        found,
        items=args.items or found.items,
        images=args.images,
        features={**found.features, **features},
        ids={**ids, **_distinct("--ids", args.ids)},
        columns={role: column for role, column in columns.items() if column is not None},
        item_column=args.item_id_column,
        image_column=args.image_column,
        text_columns=texts if args.text_columns is None else args.text_columns,
        delimiter=args.delimiter,
    )


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "crane_pyg")


def _named(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not path:
        raise argparse.ArgumentTypeError(f"expects NAME=FILE (got {text!r})")
    return name, Path(path)


def _distinct(option: str, pairs: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError(f"{option} must name each once (got {[name for name, _ in pairs]})")
    return named


def _delimiter(text: str) -> str:
    mark = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(mark) != 1 or mark in '"\r\n':
        raise argparse.ArgumentTypeError(f"one character, or 'tab' (got {text!r})")
    return mark


def _list(text: str) -> list[str]:
    return text.split(",") if text else []


def _ratio(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"three numbers (got {text!r})") from None

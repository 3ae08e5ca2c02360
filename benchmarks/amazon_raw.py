"""Time and memory of reading a category of Amazon 2014 from original files.

    OMP_NUM_THREADS=2 python -m benchmarks.amazon_raw /tmp/amazon --remove --out FILE.jsonl

writes files of the original formats that have the sizes of Electronics (or of ``--category``, or a
share ``--scale`` of them) and hold nothing true: reviews as JSON with their texts, metadata as
Python literals with descriptions of a hundred words or so, image features drawn at random. Then it
reads them by :class:`~crane_pyg.datasets.AmazonMultimodal` in a fresh process, and once more when
they are converted.
"""

import argparse
import gzip
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.measure import machine, resident_peak
from crane_pyg.datasets import AmazonMultimodal, SyntheticMultimodal
from crane_pyg.datasets.amazon.categories import Category, find_category
from crane_pyg.datasets.amazon.image_features import RECORD, WIDTH
from crane_pyg.schema import USER_TO_ITEM

_BLOCK = 512


def write_lines(path: Path, records: Iterable[Mapping[str, Any]], *, literal: bool = False) -> None:
    """Writes a record a line: a JSON object, or the literal of a dict."""
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
        for record in records:
            file.write(f"{repr(dict(record)) if literal else json.dumps(record)}\n")


def write_image_features(path: Path, blocks: Iterable[tuple[list[str], np.ndarray]]) -> None:
    """Writes blocks of ASINs and rows of 4096 numbers as records."""
    with path.open("wb") as file:
        for asins, rows in blocks:
            record = np.empty(len(asins), RECORD)
            record["asin"], record["x"] = asins, rows
            record.tofile(file)


def write_category(raw: Path, category: Category, scale: float = 1.0) -> None:
    """Writes the three files of a category with the paper's sizes, sorted by item."""
    rng = np.random.default_rng(0)
    drawn = SyntheticMultimodal(category.short, scale=scale, visual_dim=1, textual_dim=1)[0]
    store = drawn[USER_TO_ITEM]
    parts = store.edge_index, store.val_edge_label_index, store.test_edge_label_index
    pairs = torch.cat(parts, dim=1)
    pairs = pairs[:, pairs[1].argsort()]
    asins = [f"B{number:09d}" for number in range(drawn["item"].num_nodes)]
    words = np.array([_word(rng) for _ in range(20_000)])
    raw.mkdir(parents=True, exist_ok=True)
    write_lines(raw / category.reviews, _reviews(asins, words, pairs, rng))
    write_lines(raw / category.meta, _meta(asins, words, rng), literal=True)
    write_image_features(raw / category.image_features, _looks(asins, rng))


def _word(rng: np.random.Generator) -> str:
    return "".join(chr(97 + code) for code in rng.integers(26, size=rng.integers(2, 10)))


def _prose(words: np.ndarray, length: float, rng: np.random.Generator) -> str:
    """Words of which few are frequent, as in any language."""
    count = max(1, rng.poisson(length))
    return " ".join(words[(len(words) ** rng.random(count)).astype(int) - 1])


def _reviews(
    asins: list[str], words: np.ndarray, pairs: Tensor, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    texts = [_prose(words, 110, rng) for _ in range(1000)]
    for number, (user, item) in enumerate(zip(*pairs.tolist())):
        yield {
            "reviewerID": f"A{user:013d}",
            "asin": asins[item],
            "reviewerName": f"user {user}",
            "helpful": [0, 0],
            "reviewText": texts[number % len(texts)],
            "overall": float(1 + number % 5),
            "summary": texts[user % len(texts)][:40],
            "unixReviewTime": 1_300_000_000 + 86_400 * (number % 1000),
            "reviewTime": "01 1, 2013",
        }


def _meta(
    asins: list[str], words: np.ndarray, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    for number, asin in enumerate(asins):
        others = [asins[place] for place in rng.integers(len(asins), size=60)]
        yield {
            "asin": asin,
            "description": _prose(words, 100, rng),
            "title": _prose(words, 9, rng),
            "price": round(float(rng.lognormal(3.0)), 2),
            "imUrl": f"http://ecx.images-amazon.com/images/I/{number}.jpg",
            "related": {"also_bought": others[:40], "also_viewed": others[40:]},
            "salesRank": {"Electronics": number + 1},
            "brand": str(words[number % 500]),
            "categories": [["Electronics", *words[[number % 40, number % 300]].tolist()]],
        }


def _looks(asins: list[str], rng: np.random.Generator) -> Iterator[tuple[list[str], np.ndarray]]:
    for start in range(0, len(asins), _BLOCK):
        part = asins[start : start + _BLOCK]
        rows = rng.standard_normal((len(part), WIDTH), dtype=np.float32)
        yield part, np.maximum(rows, 0.0)  # as the network that made the true ones ends


def read(root: Path, name: str) -> dict[str, Any]:
    """Time and peak of this process; meant for a fresh one."""
    start = time.perf_counter()
    dataset = AmazonMultimodal(root, name)
    seconds = time.perf_counter() - start
    report = dataset.report
    return {
        "users": report.num_users,
        "items": report.num_items,
        "interactions": report.num_interactions,
        "missing": report.num_missing,
        "seconds": round(seconds, 1),
        "peak_mb": round(resident_peak() / 2**20),
    }


def _in_a_fresh_process(root: Path, name: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.amazon_raw", str(root), "--category", name]
    output = subprocess.run([*command, "--read"], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(output.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="an empty folder, or one that does not exist")
    parser.add_argument("--category", default="electronics")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--out", type=Path, help="append the JSON line to this file")
    parser.add_argument("--read", action="store_true", help="only read, in this process")
    parser.add_argument("--remove", action="store_true", help="remove the folder afterwards")
    args = parser.parse_args()
    if args.read:
        print(json.dumps(read(args.root, args.category)))
        return
    if args.root.exists() and any(args.root.iterdir()):
        parser.error(f"the folder must be empty (got '{args.root}')")
    category = find_category(args.category)
    raw = args.root / "raw"
    write_category(raw, category, args.scale)
    sizes = {name: round((raw / name).stat().st_size / 2**20) for name in category.files}
    print(*(f"{name}: {size:,} MB" for name, size in sizes.items()), sep="\n")
    record = {
        "benchmark": "amazon_raw",
        "category": category.name,
        "scale": args.scale,
        "raw_mb": sum(sizes.values()),
        "converted": _in_a_fresh_process(args.root, args.category),
        "read_again": _in_a_fresh_process(args.root, args.category),
        **machine(torch.device("cpu")),
    }
    for name in ("converted", "read_again"):
        run = record[name]
        print(f"{name:>12}: {run['seconds']:.1f} s, {run['peak_mb']:,} MB at most")
    line = json.dumps(record)
    if args.out is not None:
        with args.out.open("a") as file:
            file.write(line + "\n")
    if args.remove:
        shutil.rmtree(args.root)
    print(line)


if __name__ == "__main__":
    main()

"""Time and memory of preparing two million lines, from a CSV to a data set's folder.

    OMP_NUM_THREADS=2 python -m benchmarks.prepare --out benchmarks/results/prepare.jsonl

Writes a CSV with ids of letters, ratings and times, and a table of its items, to a temporary
folder, prepares them in a process that did nothing else, and prints a report and one JSON line.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks import measure
from crane_pyg.preparation import Encoding, Rules, Sources, prepare


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=60_000)
    parser.add_argument("--k-core", type=int, default=5)
    parser.add_argument("--words", type=int, default=0, help="of each item's text")
    parser.add_argument("--out", type=Path, help="a file to add the line to")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_log(folder, args.lines, args.users, args.items)
        write_items(folder, args.items, args.words)
        size = (folder / "log.csv").stat().st_size
        (seconds, cpu, report), peak = measure.with_peak(
            prepare_folder, name, args.k_core, args.words > 0
        )
    settings = {name: value for name, value in vars(args).items() if name != "out"}
    line = {
        **settings,
        "csv_mb": size / 1e6,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_mb": peak / 1e6,
        "report": report,
        **measure.machine(torch.device("cpu")),
    }
    print(report)
    print(
        f"{args.lines:,} lines, {size / 1e6:.0f} MB: {seconds:.1f} s ({cpu:.1f} s of CPU), "
        f"peak {peak / 1e6:.0f} MB"
    )
    print(json.dumps(line))
    if args.out is not None:
        with args.out.open("a") as file:
            file.write(json.dumps(line) + "\n")


def write_log(folder: Path, lines: int, users: int, items: int) -> None:
    """A long-tailed log: the more popular, the lower the number."""
    rng = np.random.default_rng(0)
    user = (users * rng.random(lines) ** 2).astype(np.int64)
    item = (items * rng.random(lines) ** 2).astype(np.int64)
    table = pd.DataFrame(
        {
            "user_id": np.char.add("A3RDQ7T", user.astype(str)),
            "item_id": np.char.add("B00LX", item.astype(str)),
            "rating": rng.integers(1, 6, lines).astype(np.float64),
            "timestamp": rng.integers(1_100_000_000, 1_400_000_000, lines),
        }
    )
    table.to_csv(folder / "log.csv", index=False)


def write_items(folder: Path, items: int, words: int) -> None:
    rng = np.random.default_rng(1)
    vocabulary = np.char.add("word", np.arange(50_000).astype(str))
    chosen = (len(vocabulary) * rng.random((items, words)) ** 4).astype(np.int64)
    with (folder / "items.csv").open("w") as file:
        file.write("item_id,title\n")
        for i, row in enumerate(chosen):
            file.write(f"B00LX{i},{' '.join(vocabulary[row])}\n")


def prepare_folder(name: str, k_core: int, texts: bool) -> tuple[float, float, str]:
    folder = Path(name)
    start, cpu = time.perf_counter(), time.process_time()
    report = prepare(
        Sources(folder / "log.csv", folder / "items.csv", text_columns=["title"] * texts),
        folder / "out",
        rules=Rules(k_core=k_core, split="time"),
        encoding=Encoding(text="tfidf-svd"),
    )
    return time.perf_counter() - start, time.process_time() - cpu, str(report)


if __name__ == "__main__":
    main()

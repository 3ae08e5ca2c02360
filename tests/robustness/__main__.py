"""Seeded faults, many of them: ``python -m tests.robustness --faults 1000 --seed 0``.

Faults go round the subjects and the kinds, each decided by the seed and its number. Prints what
they ended in; exit status 1 if one ended in anything but an identical result or a clear line.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

from tests.robustness.attacks import CLEAR, ELSE, IDENTICAL, KINDS, Target
from tests.robustness.subjects import SUBJECTS


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=[*SUBJECTS])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[*KINDS])
    parser.add_argument("--first", type=int, default=0, help="number of the first fault")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    start = time.perf_counter()
    counts: Counter[tuple[str, str, str]] = Counter()
    with tempfile.TemporaryDirectory() as root:
        targets = {name: Target(name, Path(root)) for name in args.subjects}
        pairs = itertools.cycle(itertools.product(args.kinds, args.subjects))
        numbered = enumerate(itertools.islice(pairs, args.first + args.faults))
        for number, (kind, subject) in itertools.islice(numbered, args.first, None):
            outcome = targets[subject].attack(kind, f"{args.seed}-{number}-{kind}-{subject}")
            counts[kind, subject, outcome.end] += 1
            if outcome.end == ELSE:
                print(f"fault {number}, {kind}, {subject}: {outcome.detail}", flush=True)
    print(f"| {'fault':<17}| {'of':<10}| {IDENTICAL} | {CLEAR} | {ELSE} |")
    print(f"|{'-' * 18}|{'-' * 11}|-----------|------------|---------------|")
    for kind, subject in itertools.product(args.kinds, args.subjects):
        row = [counts[kind, subject, end] for end in (IDENTICAL, CLEAR, ELSE)]
        if any(row):
            print(f"| {kind:<17}| {subject:<10}| {row[0]:9} | {row[1]:10} | {row[2]:13} |")
    wrong = sum(count for (_, _, end), count in counts.items() if end == ELSE)
    seconds = time.perf_counter() - start
    print(f"{args.faults} faults, seed {args.seed}, {seconds:.0f} s: {wrong} ended in {ELSE}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

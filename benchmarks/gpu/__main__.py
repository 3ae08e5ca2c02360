"""``python -m benchmarks.gpu --out DIR``: everything that is measured on a GPU, in six minutes.

Leaves ``gpu.jsonl`` (a line for each measurement), ``gpu.md``, three pictures and a profiler trace.
``--rehearse`` does the same on a CPU in shrunken sizes, Triton through its interpreter.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from benchmarks.gpu.session import Session

# Seconds of each part, compilation first; what one leaves over the next may use.
SHARES = {
    "compile": 60,
    "attention": 125,
    "rivals": 25,
    "approximate": 10,
    "sparse": 20,
    "epochs": 80,
    "evaluation": 15,
    "example": 1,  # is not cut short
}
EXAMPLE_SECONDS = 45  # which all else leaves to it


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    if not (args.rehearse or args.redraw or torch.cuda.is_available()):
        print("needs a CUDA device: torch.cuda.is_available() is false (or --rehearse)")
        return 0
    if args.rehearse:
        os.environ["TRITON_INTERPRET"] = "1"  # read when triton is first imported
    args.out.mkdir(parents=True, exist_ok=True)
    if not (args.redraw or args.resume):
        (args.out / "gpu.jsonl").unlink(missing_ok=True)
    failed = 0 if args.redraw else measure(args)
    return failed or report(args.out)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--out", type=Path, required=True, help="folder")
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=[*SHARES],
        help=f"some of {','.join(SHARES)}; the rulers are always measured",
    )
    parser.add_argument("--seconds", type=float, default=350, help="what is late is skipped")
    parser.add_argument("--resume", action="store_true", help="what DIR has is not measured again")
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, shrunken")
    parser.add_argument("--redraw", action="store_true", help="tables and pictures of DIR alone")
    args = parser.parse_args(argv)
    if unknown := set(args.only) - set(SHARES):
        parser.error(f"--only takes {','.join(SHARES)} (got {','.join(sorted(unknown))})")
    return args


def measure(args: argparse.Namespace) -> int:
    """All parts in turn; where one loses the device, the rest in a new process."""
    from benchmarks.gpu import attention, electronics, epochs, rivals, rulers, sparse
    from benchmarks.gpu.drawing import Drawing
    from benchmarks.gpu.session import ContextLost, Session
    from benchmarks.gpu.sizes import FULL, REHEARSAL

    start = time.monotonic()
    device = torch.device("cpu" if args.rehearse else "cuda")
    sizes = REHEARSAL if args.rehearse else FULL
    drawing = Drawing(sizes, ahead=not args.rehearse)
    session = Session(args.out, device, sizes, drawing)
    runs = {
        "compile": compile_ahead,
        "attention": attention.run,
        "rivals": rivals.run,
        "approximate": attention.run_approximate,
        "sparse": sparse.run,
        "epochs": epochs.run,
        "evaluation": electronics.run_evaluation,
        "example": electronics.run_example,
    }
    parts = [part for part in SHARES if part in args.only]
    deadlines = allotted(parts, args.seconds)
    try:
        for number, part in enumerate(parts):
            session.deadline = start + deadlines[part]
            try:
                if part != "compile":
                    rulers.run(session)
                session.attempt("part", {"name": part}, runs[part], session)
            except ContextLost:
                print(f"{part} lost the device: the rest in a new process", flush=True)
                return go_on(args.out, parts[number:], args.seconds - (time.monotonic() - start))
    finally:
        drawing.close()
    return 0


def allotted(parts: Sequence[str], seconds: float) -> dict[str, float]:
    """When each part must be through, seconds from the start; of fewer parts each has more."""
    *timed, last = [0.0, *(float(SHARES[part]) for part in parts)]
    left = seconds - (EXAMPLE_SECONDS if "example" in parts else 0)
    scale = left / (sum(timed) + last)
    ends, found = 0.0, {}
    for part in parts:
        ends += SHARES[part] * scale
        found[part] = ends if part != "example" else seconds
    return found


def compile_ahead(session: "Session") -> None:
    from benchmarks.gpu.compiling import compile_ahead

    if not session.rehearsal:
        session.attempt("compile", {}, compile_ahead, session.sizes)


def go_on(out: Path, rest: Sequence[str], seconds: float) -> int:
    command = [sys.executable, "-m", "benchmarks.gpu", "--out", str(out), "--resume"]
    command += ["--only", ",".join(rest), "--seconds", str(max(seconds, 60.0))]
    return subprocess.run(command).returncode


def report(folder: Path) -> int:
    from benchmarks.gpu import pictures, tables
    from benchmarks.gpu.session import read

    records = read(folder / "gpu.jsonl")
    text = tables.report(records)
    (folder / "gpu.md").write_text(text)
    print(text)
    pictures.draw(records, folder)
    counts = {
        "measured": sum(not {"error", "skipped"} & record.keys() for record in records),
        "errors": sum("error" in record for record in records),
        "skipped": sum("skipped" in record for record in records),
    }
    print(json.dumps({"benchmark": "gpu", "device": records[0]["device"], **counts}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""What a user of Electronics' size waits for: the example as it stands, and an evaluation."""

import os
import subprocess
import sys
import time
from pathlib import Path

import torch

from benchmarks.gpu.session import Record, Session
from benchmarks.gpu.timing import forget
from crane_pyg.experiments import construct_model
from crane_pyg.training import evaluate
from crane_pyg.training.evaluation import held_out_edges

ROOT = Path(__file__).parents[2]
EXAMPLE = "examples/train_electronics.py"
PRESET = "electronics"
PATIENCE = 150.0


def run_evaluation(session: Session) -> None:
    session.attempt("evaluation", {"preset": PRESET, "model": "LightGCN"}, rank, session)
    forget(session.device)


def rank(session: Session) -> Record:
    """Seconds to rank the catalogue for every user of the test split: first, and again."""
    device = session.device
    data = session.data(PRESET)
    model = construct_model("lightgcn", data, {}, 0).to(device)
    users = torch.unique(held_out_edges(data, "test")[0]).numel()
    forget(device)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        scores = evaluate(model, data, "test")  # ends in numbers on the host
        seconds.append(time.perf_counter() - start)
    record = {"users": users, "items": data["item"].num_nodes, "scores": scores}
    if device.type == "cuda":
        record["peak_mb"] = torch.cuda.max_memory_allocated(device) / 2**20
    return record | {"first_s": seconds[0], "evaluation_s": seconds[1]}


def run_example(session: Session) -> None:
    session.attempt("example", {"command": f"{EXAMPLE} --epochs 2"}, example, session)


def example(session: Session) -> Record:
    """In a process of its own, which also draws its data."""
    scale = str(session.sizes.scale[PRESET])
    command = [sys.executable, EXAMPLE, "--epochs", "2", "--scale", scale]
    start = time.perf_counter()
    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    if run.returncode:
        raise RuntimeError(f"it ended with {run.returncode}: {run.stderr[-300:]}")
    return {"lines": run.stdout.splitlines(), "example_s": time.perf_counter() - start}

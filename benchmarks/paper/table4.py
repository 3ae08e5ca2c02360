"""Table 4: all models. ``--compare DIR`` takes the runs of ``python -m crane_pyg compare``."""

import json
from pathlib import Path
from typing import Any

from benchmarks.paper.job import Job, Runs, tidy
from crane_pyg.experiments import markdown_comparison, plot_comparison
from crane_pyg.nn.models import MODELS
from crane_pyg.seals import read_record
from crane_pyg.training.identity import fingerprint

# The paper's, in its order; others stand after them.
ORDER = (
    *("bpr", "lightgcn", "vbpr", "mmgcn", "slmrec", "lattice"),
    *("freedom", "lgmrec", "dgvae", "lpic", "crane"),
)


def run(job: Job) -> None:
    if job.args.compare is None:
        labels = {MODELS[name].__name__: (name, {}) for name in ORDER}
        runs = job.train(labels, job.args.seeds)
    else:
        runs = compared(job, job.args.compare)
    seeds = sorted({run["seed"] for run in runs})
    job.write(f"{job.head(seeds)}\n\n{markdown_comparison(runs)}", tidy(runs))
    plot_comparison(runs, job.folder / "figure.png")


def compared(job: Job, folder: Path) -> Runs:
    """The runs of a folder that was written elsewhere, of the same data and protocol."""
    there = read_record(folder / "compare.json")
    here = {"fingerprint": fingerprint(job.data), "protocol": job.args.protocol}
    found = {"fingerprint": there["data"]["fingerprint"], "protocol": there["protocol"]}
    if here != found:
        raise ValueError(f"{folder} must hold runs of {here} (got {found})")
    rows = [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]
    runs = [row if "error" in row else row | noted(folder, row["run"]) for row in rows]
    place = {name: number for number, name in enumerate(ORDER)}
    return sorted(runs, key=lambda run: place.get(run["model"], len(place)))


def noted(folder: Path, name: str) -> dict[str, Any]:
    """A run as it was noted, with its checksum, by ``compare`` or by these commands."""
    own, shared = (place / "runs" / f"{name}.json" for place in (folder, folder.parent))
    return read_record(own if own.exists() else shared)["run"]

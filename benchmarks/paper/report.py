"""All tables and figures, and a page that shows them."""

import importlib
import logging
import time

import torch

from benchmarks.measure import machine
from benchmarks.paper.job import Job
from crane_pyg.experiments.run_files import describe_error
from crane_pyg.files import write_text

PARTS = {
    "table2": "statistics of the data",
    "table3": "settings",
    "table4": "overall comparison",
    "table5": "what each part contributes",
    "figure4": "ways to fuse the modalities",
    "figure5": "layers of both graphs; rounds and neighbours",
    "table6": "ways to make a user's profile",
    "figure6": "eight users and their items",
    "figure7": "time and memory against size",
    "figure8": "validation against epochs and seconds",
}
logger = logging.getLogger(__name__)


def run(job: Job) -> None:
    """What cannot be made is named in the report and stops nothing else."""
    reasons = {}
    for name in PARTS:
        if name in job.args.skip:
            continue
        start = time.perf_counter()
        try:
            importlib.import_module(f"benchmarks.paper.{name}").run(job.named(name))
        except OSError:
            raise
        except Exception as error:
            reasons[name] = describe_error(error)
        logger.info("%s: %.0f s", name, time.perf_counter() - start)
    write_text(job.args.out / "report.md", report(job, reasons))


def report(job: Job, reasons: dict[str, str]) -> str:
    names = [name for name in PARTS if name not in job.args.skip]
    where = machine(torch.device(job.args.device))
    index = [f"- [{title(name)}](#{name}): {PARTS[name]}" for name in names]
    parts = [
        f"# {job.dataset.name}",
        f"{where['machine']}, torch {where['torch']}, {where['threads']} thread(s).",
        "\n".join(index),
    ]
    for name in names:
        folder = job.args.out / name
        parts.append(f'<a id="{name}"></a>\n\n## {title(name)}: {PARTS[name]}')
        if name in reasons:
            parts.append(f"Not made: {reasons[name]}")
            continue
        if (folder / "figure.png").exists():
            parts.append(f"![{PARTS[name]}]({name}/figure.png)")
        parts.append((folder / "table.md").read_text().strip())
        files = sorted(path.name for path in folder.iterdir() if path.suffix in (".csv", ".jsonl"))
        parts.append(", ".join(f"[{file}]({name}/{file})" for file in files))
    return "\n\n".join(parts) + "\n"


def title(name: str) -> str:
    return f"{name[:-1].capitalize()} {name[-1]}"

"""Table 6: how a user's items become a profile, in eq. 5 and in eq. 16, and what it costs."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd
import torch
from torch_geometric.data import HeteroData

from benchmarks.measure import Rival, interleave, machine, summary
from benchmarks.paper.job import Job, done, score_table, tidy
from crane_pyg.cli import options
from crane_pyg.experiments import construct_model
from crane_pyg.experiments.settings import settings_with_defaults
from crane_pyg.seals import read_record, write_record
from crane_pyg.training import TripletSampler, build_optimizer, train_epoch

EQUATIONS = {"profile": "eq. 5", "semantic_profile": "eq. 16"}
AGGREGATIONS = ("sum", "mean", "max", "attention", "sqrt")
ROUNDS, BUDGET = 3, 120.0  # epochs timed of each variant, and seconds at most


def run(job: Job) -> None:
    base = settings_with_defaults("crane", job.settings("crane"))
    variants: dict[str, dict[str, str]] = {"CRANE": {}}
    what = {"CRANE": f"eq. 5 {base['profile']}, eq. 16 {base['semantic_profile'] or 'left out'}"}
    for name, equation in EQUATIONS.items():
        for aggregation in AGGREGATIONS:
            if aggregation != base[name]:
                variants[f"{equation} {aggregation}"] = {name: aggregation}
                what[f"{equation} {aggregation}"] = f"{name}={aggregation}"
    runs = job.train({label: ("crane", own) for label, own in variants.items()}, job.args.seeds)
    done(runs)
    trained = {run["label"] for run in runs if "error" not in run}
    path = job.folder / "seconds.json"
    if not path.exists():
        chosen = {label: own for label, own in variants.items() if label in trained}
        write_record(path, epoch_seconds(job, chosen))
    timing = read_record(path)
    against = {label: "CRANE" for label in what if label != "CRANE"}
    table = score_table(runs, what, against, timing["seconds"])
    notes = (
        f"Seconds: median of {timing['epochs']} epochs of each variant in turn, after one to "
        f"warm up, validation left out, {timing['threads']} thread(s) of {timing['machine']}. With "
        "normalised attention (the default) sum, mean and sqrt of eq. 5 differ by rounding alone: "
        "rows are divided by their length before each round."
    )
    cost = pd.DataFrame(timing["seconds"].items(), columns=["label", "value"])
    frame = pd.concat([tidy(runs), cost.assign(metric="epoch_s")])
    job.write(f"{job.head(job.args.seeds)}\n\n{table}\n\n{notes}", frame)


def epoch_seconds(job: Job, variants: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """An epoch of each in turn, so that what else the machine does meets all alike."""
    device = options.device(job.args.device)
    data = job.data.to(device)
    rivals = {
        label: Rival(epoch_of(data, job.settings("crane", own), job.args.seeds[0], device))
        for label, own in variants.items()
    }
    costs = interleave(rivals, ROUNDS, BUDGET)
    return machine(device) | {
        "epochs": ROUNDS,
        "seconds": {label: summary(own)["total_s"] for label, own in costs.items()},
    }


def epoch_of(
    data: HeteroData, settings: Mapping[str, Any], seed: int, device: torch.device
) -> Callable[[], dict[str, float]]:
    model = construct_model("crane", data, settings, seed).to(device)
    sampler = TripletSampler.from_data(data, settings["batch_size"])
    optimizer = build_optimizer(model, settings["lr"])
    return partial(train_epoch, model, data, sampler, optimizer)

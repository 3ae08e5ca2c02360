"""Every model with every seed, on one graph under one protocol."""

import itertools
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import HeteroData

from crane_pyg.experiments.folder import claim, fingerprint, write_text
from crane_pyg.experiments.settings import construct, parted
from crane_pyg.training import evaluate, fit
from crane_pyg.training.loop import reset_peak_memory

log = logging.getLogger("crane_pyg")


def run_grid(
    data: HeteroData,
    settings: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
    out: Path,
    *,
    protocol: str = "strict",
    about: Mapping[str, Any] | None = None,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> list[dict[str, Any]]:
    """Train and test each model once per seed; what ``out`` holds already is not trained again.

    A run killed midway goes on from its last epoch. Models and seeds may be added to a folder
    later; its data, its protocol and the settings of its models stay.

    Args:
        data: the graph.
        settings: by model, as :func:`~crane_pyg.experiments.complete` gives them.
        seeds: of training.
        out: folder for the runs, a file each, and all of them in ``runs.jsonl``.
        protocol: see :func:`~crane_pyg.training.evaluate`.
        about: how to name the data.
        device: to train on.
        progress: show a progress bar per run.

    Returns:
        one dictionary per run, by model and seed: its scores and costs, or the ``error`` that
        stopped it. Runs that failed are tried again by the next call.

    Raises:
        ValueError: if ``out`` holds runs of other data, protocol or settings.
    """
    claim(
        out / "compare.json",
        {
            "data": {**(about or {}), "fingerprint": fingerprint(data)},
            "protocol": protocol,
            **{f"settings of {model}": own for model, own in settings.items()},
        },
    )
    runs = {}
    for seed, model in itertools.product(seeds, settings):  # a seed is whole before the next one
        path = out / "runs" / f"{model}-{seed}.json"
        key = {"model": model, "seed": seed}
        try:
            if not path.exists():
                scores = _run(data, key, settings[model], path, protocol, device, progress)
                run = {**key, **(about or {}), "protocol": protocol, **scores}
                write_text(path, json.dumps(run | {"settings": settings[model]}) + "\n")
            runs[model, seed] = json.loads(path.read_text())
            path.with_suffix(".pt").unlink(missing_ok=True)
        except ValueError as error:
            log.warning("%s, seed %d failed: %s", model, seed, error)
            runs[model, seed] = key | {"error": str(error)}
    rows = [runs[model, seed] for model in settings for seed in seeds]
    write_text(out / "runs.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return rows


def _run(
    data: HeteroData,
    key: Mapping[str, Any],
    settings: Mapping[str, Any],
    path: Path,
    protocol: str,
    device: torch.device | str,
    progress: bool,
) -> dict[str, Any]:
    log.info("%s, seed %d", key["model"], key["seed"])
    reset_peak_memory(torch.device(device))
    model = construct(key["model"], data, settings, key["seed"])
    result = fit(
        model,
        data,
        **parted(settings)[1],
        protocol=protocol,
        seed=key["seed"],
        device=device,
        checkpoint=path.with_suffix(".pt"),
        progress=progress,
    )
    return {
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "seconds_per_epoch": result.seconds_per_epoch,
        "peak_memory_mb": result.peak_memory_mb,
        "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "valid": evaluate(model, data.to(device), "val", protocol=protocol),
        "test": evaluate(model, data.to(device), "test", protocol=protocol),
    }

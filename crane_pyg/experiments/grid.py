"""Every model with every seed, on one graph under one protocol."""

import hashlib
import itertools
import json
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import HeteroData

from crane_pyg.experiments.folder import claim_folder, hold_folder
from crane_pyg.experiments.forecast import Forecast
from crane_pyg.experiments.measurement import Measurement
from crane_pyg.experiments.run_files import (
    describe_error,
    read_run,
    train_anew_if_damaged,
    write_run,
)
from crane_pyg.experiments.settings import construct_model, settings_with_defaults, split_settings
from crane_pyg.files import write_text
from crane_pyg.training import DEFAULT_METRICS, TRAINING_DEFAULTS, Metric, fit, save_model
from crane_pyg.training.evaluation import EvaluationProtocol
from crane_pyg.training.history import HistoryFile
from crane_pyg.training.identity import VERSIONS, fingerprint
from crane_pyg.training.memory import reset_peak_memory
from crane_pyg.training.metrics import check_metrics

logger = logging.getLogger(__name__)


def run_grid(
    data: HeteroData,
    settings: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
    out: Path,
    *,
    models: Mapping[str, str] | None = None,
    shared: Path | None = None,
    keep: Collection[str] = (),
    protocol: EvaluationProtocol = "strict",
    metrics: Sequence[Metric] = DEFAULT_METRICS,
    by_degree: bool = False,
    about: Mapping[str, Any] | None = None,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> list[dict[str, Any]]:
    """Train and test each model once per seed; what ``out`` holds already is not trained again.

    A run killed midway goes on from its last epoch, and one whose files are damaged is trained
    again. Models and seeds may be added to a folder later; its data, its protocol, the settings of
    its models and the versions of the software stay.

    Args:
        data: the graph.
        settings: by model, as :func:`~crane_pyg.experiments.complete_settings` gives them; or by
            any label, where :obj:`models` says whose they are.
        seeds: one training for each.
        out: folder for the runs, a file and a history each, and all of them in ``runs.jsonl``.
        models: model by label; a run then has a ``label`` beside its ``model``. (default: a label
            is the model)
        shared: folder for the runs in the place of one in ``out``. A run's name there stands for
            all that it depends on, so that grids share the runs that they have in common.
        keep: labels whose trained weights stay beside the run, as ``.safetensors``.
        protocol, metrics: see :func:`~crane_pyg.training.evaluate`. A run that was done without one
            of the metrics is trained again.
        by_degree: measure by the degree of users and items too, see
            :func:`~crane_pyg.training.evaluate_by_degree`.
        about: how to name the data.
        device: to train on.
        progress: show how far each run is, as :func:`~crane_pyg.training.fit` does.

    Returns:
        one dictionary per run, by model and seed: its scores and costs, and ``run``, how its files
        are called; or the ``error`` that stopped it, whatever that was but a file that cannot be
        written. Runs that failed are tried again by the next call.

    Raises:
        ValueError: if ``out`` holds runs of other data, protocol, settings or versions, another
            process writes there, or the data lack what a metric needs.
        OSError: if a file cannot be written.
    """
    check_metrics(metrics, data)
    measure = Measurement(protocol, metrics, by_degree)
    models = models or {}
    identity = {
        "data": {**(about or {}), "fingerprint": fingerprint(data)},
        "protocol": protocol,
        "versions": VERSIONS,
    }
    named = {
        f"settings of {label}": ({"model": models[label]} if label in models else {}) | dict(own)
        for label, own in settings.items()
    }
    with ExitStack() as held:
        for folder in filter(None, (out, shared)):
            held.enter_context(hold_folder(folder))
        claim_folder(out / "compare.json", identity | named)
        runs = {}
        paths = {  # a seed is whole before the next one
            (seed, label): (shared or out / "runs")
            / (
                f"{label}-{seed}.json"
                if shared is None and label not in models
                else f"{_name(identity, models.get(label, label), seed, settings[label])}.json"
            )
            for seed, label in itertools.product(seeds, settings)
        }
        forecast = Forecast([label for (_, label), path in paths.items() if not path.exists()])
        if forecast.labels:
            most = max(own.get("epochs", TRAINING_DEFAULTS.epochs) for own in settings.values())
            logger.info("%s", forecast.announce(len(paths), most))
        for count, ((seed, label), path) in enumerate(paths.items(), start=1):
            model = models.get(label, label)
            key = {"model": model, "seed": seed}
            name = {"label": label} if label in models else {}
            full = {"settings": settings_with_defaults(model, settings[label])}
            made_from, keeps = identity | key | full, label in keep
            try:
                run = read_run(path, made_from, weights=keeps)
                if run is None or not measure.is_in(run):
                    logger.info("%s, seed %d (%d of %d)", label, seed, count, len(paths))
                    forecast.begin(label)
                    start = time.perf_counter()
                    scores = _run(
                        data, key, settings[label], path, measure, device, progress, keeps
                    )
                    run = {**key, **(about or {}), "protocol": protocol, **scores}
                    write_run(path, made_from, run)
                    took = forecast.note(label, time.perf_counter() - start)
                    logger.info("%s, seed %d %s", label, seed, took)
                path.with_suffix(".pt").unlink(missing_ok=True)
                # Settings as given here, were the run another grid's.
                runs[label, seed] = name | run | {"settings": dict(settings[label])}
            except OSError:
                raise  # the disk's failure, not the model's
            except Exception as error:
                logger.warning("%s, seed %d failed: %s", label, seed, describe_error(error))
                logger.debug("", exc_info=error)
                runs[label, seed] = name | key | {"error": describe_error(error)}
        rows = [runs[label, seed] for label in settings for seed in seeds]
        write_text(out / "runs.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return rows


def _name(identity: Mapping[str, Any], model: str, seed: int, settings: Mapping[str, Any]) -> str:
    """A name that equal runs share, whether a setting at its default is given or left out."""
    depends_on = {
        "data": identity["data"]["fingerprint"],
        "protocol": identity["protocol"],
        "versions": identity["versions"],
        "settings": settings_with_defaults(model, settings),
    }
    digest = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:12]
    return f"{model}-{seed}-{digest}"


def _run(
    data: HeteroData,
    key: Mapping[str, Any],
    settings: Mapping[str, Any],
    path: Path,
    measure: Measurement,
    device: torch.device | str,
    progress: bool,
    keep: bool,
) -> dict[str, Any]:
    reset_peak_memory(torch.device(device))
    model = construct_model(key["model"], data, settings, key["seed"])
    own, loop = split_settings(settings)
    checkpoint, history = path.with_suffix(".pt"), path.with_suffix(".csv")
    train = partial(
        fit,
        model,
        data,
        **loop,
        protocol=measure.protocol,
        seed=key["seed"],
        device=device,
        checkpoint=checkpoint,
        progress=progress,
    )
    result = train_anew_if_damaged(checkpoint, lambda: train(callback=HistoryFile(history)))
    write_text(history, result.to_frame().to_csv())
    if keep:
        save_model(model, key["model"], own, path.with_suffix(".safetensors"))
    return {
        "run": path.stem,
        **result.summary(),
        "parameters": model.num_learned(),
        **measure(model, data.to(device)),
    }

"""TensorBoard's, W&B's and MLflow's own packages where they are here, offline; else stand-ins."""

import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

from crane_pyg.nn.models import LightGCN
from crane_pyg.training import evaluate, fit, open_tracker
from tests.training.short_runs import SHORT, build

SETTINGS = {"model": "lightgcn", "lr": 0.01, "ranking": None}


def tracked(name, checkerboard, folder, **more):
    """Trains with a tracker; returns history and test scores."""
    model = build(checkerboard, LightGCN)
    with open_tracker(name, "first", SETTINGS, folder) as tracker:
        options = SHORT | {"eval_every": 2} | more
        result = fit(model, checkerboard, **options, callback=tracker)
        scores = evaluate(model, checkerboard, "test")
        tracker.finish(scores)
    return result.history, scores


def by_epoch(history):
    """What each epoch should be kept as."""
    return {
        int(row["epoch"]): {
            f"{'val' if '@' in name else 'train'}/{name}": value
            for name, value in row.items()
            if name != "epoch"
        }
        for row in history
    }


def test_an_unknown_or_missing_tracker_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="tracker must be one of 'tensorboard', 'wandb'"):
        open_tracker("paper", "first", {})
    for package in ("tensorboard", "wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    for name in ("tensorboard", "wandb", "mlflow"):
        with pytest.raises(ValueError, match=rf"--track {name} needs .*crane-pyg\[{name}\]"):
            open_tracker(name, "first", {})


def curves(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    found = {}
    for name in events.Tags()["scalars"]:
        for event in events.Scalars(name):
            found.setdefault(event.step, {})[name] = event.value
    return found


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard(checkerboard, tmp_path):
    pytest.importorskip("tensorboard")
    history, scores = tracked("tensorboard", checkerboard, tmp_path)
    wanted = by_epoch(history)
    wanted[5] |= {f"test/{name}": value for name, value in scores.items()}
    found = curves(tmp_path / "tensorboard")
    assert found.keys() == wanted.keys()
    for epoch, numbers in wanted.items():
        assert found[epoch] == pytest.approx(numbers)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_of_a_run_that_goes_on(checkerboard, tmp_path):
    pytest.importorskip("tensorboard")
    path = tmp_path / "checkpoint.pt"
    tracked("tensorboard", checkerboard, tmp_path, checkpoint=path, epochs=2)
    history, _ = tracked("tensorboard", checkerboard, tmp_path, checkpoint=path)
    found = curves(tmp_path / "tensorboard")
    assert {epoch: numbers["train/loss"] for epoch, numbers in found.items()} == pytest.approx(
        {int(row["epoch"]): row["loss"] for row in history}
    )
    assert [epoch for epoch, numbers in found.items() if "test/Recall@20" in numbers] == [5]


@pytest.fixture
def wandb(monkeypatch):
    """A stand-in that keeps what it is called with."""
    module, run = ModuleType("wandb"), SimpleNamespace(rows={}, summary={}, ended=[])
    run.log = lambda numbers, step: run.rows.update({step: numbers})
    run.finish = lambda exit_code: run.ended.append(exit_code)
    run.init = {}
    module.init = lambda **given: run.init.update(given) or run
    monkeypatch.setitem(sys.modules, "wandb", module)
    return run


def test_what_wandb_is_told(checkerboard, tmp_path, wandb, monkeypatch):
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    history, scores = tracked("wandb", checkerboard, tmp_path / "new")
    assert wandb.init == {
        **{"project": "crane_pyg", "name": "first", "config": SETTINGS},
        "dir": str(tmp_path / "new"),
    }
    assert (tmp_path / "new").is_dir()
    assert wandb.rows == by_epoch(history)
    assert wandb.summary == {f"test/{name}": value for name, value in scores.items()}
    assert wandb.ended == [0]
    with pytest.raises(RuntimeError), open_tracker("wandb", "second", {}):
        raise RuntimeError
    assert wandb.ended == [0, 1]


def test_wandb_offline(checkerboard, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    tracked("wandb", checkerboard, tmp_path)
    (kept,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    assert kept.stat().st_size > 0


@pytest.fixture
def mlflow(monkeypatch):
    """A stand-in that keeps what it is called with, and knows what names MLflow takes."""
    store = SimpleNamespace(params={}, metrics={}, ended=[], experiments={})

    class MlflowClient:
        def get_experiment_by_name(self, name):
            return store.experiments.get(name)

        def create_experiment(self, name):
            store.experiments[name] = SimpleNamespace(experiment_id=f"id of {name}")
            return f"id of {name}"

        def create_run(self, experiment, run_name):
            store.run = (experiment, run_name)
            return SimpleNamespace(info=SimpleNamespace(run_id="run"))

        def log_param(self, run, key, value):
            store.params[key] = value

        def log_metric(self, run, key, value, step=None):
            assert run == "run"
            assert "@" not in key
            store.metrics[key, step] = value

        def set_terminated(self, run, status):
            store.ended.append(status)

    tracking = ModuleType("mlflow.tracking")
    tracking.MlflowClient = MlflowClient
    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.tracking", tracking)
    return store


def test_what_mlflow_is_told(checkerboard, mlflow, monkeypatch):
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    history, scores = tracked("mlflow", checkerboard, None)
    assert mlflow.run == ("id of crane_pyg", "first")
    assert mlflow.params == SETTINGS
    wanted = {
        (name.replace("@", "_at_"), epoch): value
        for epoch, numbers in by_epoch(history).items()
        for name, value in numbers.items()
    }
    wanted |= {(f"test/{k.replace('@', '_at_')}", None): value for k, value in scores.items()}
    assert mlflow.metrics == wanted
    with pytest.raises(KeyboardInterrupt), open_tracker("mlflow", "second", {}):
        raise KeyboardInterrupt
    assert mlflow.ended == ["FINISHED", "FAILED"]
    assert len(mlflow.experiments) == 1


@pytest.mark.filterwarnings("ignore")
def test_mlflow_in_files(checkerboard, tmp_path, monkeypatch):
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    history, scores = tracked("mlflow", checkerboard, None)
    client = tracking.MlflowClient()
    experiment = client.get_experiment_by_name("crane_pyg").experiment_id
    (run,) = client.search_runs([experiment])
    assert run.info.status == "FINISHED"
    assert run.data.params == {name: str(value) for name, value in SETTINGS.items()}
    assert run.data.metrics["test/Recall_at_20"] == pytest.approx(scores["Recall@20"])
    curve = client.get_metric_history(run.info.run_id, "train/loss")
    assert {point.step: point.value for point in curve} == pytest.approx(
        {int(row["epoch"]): row["loss"] for row in history}
    )


def test_settings_are_told_to_tensorboard(tmp_path):
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    ).EventAccumulator
    with open_tracker("tensorboard", "first", SETTINGS, tmp_path):
        pass
    events = accumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    (text,) = events.Tensors("settings/text_summary")
    assert json.dumps(SETTINGS, indent=2) in text.tensor_proto.string_val[0].decode()

import json
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from crane_pyg.experiments import complete_settings, grid, run_grid
from crane_pyg.nn.models import LightGCN
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training import evaluate, load_model
from crane_pyg.training.identity import fingerprint

SHORT = {"epochs": 2, "batch_size": 64}


def settings(*models, **given):
    own = {"crane": {"k": 3}}
    return {model: complete_settings(model, SHORT | own.get(model, {}) | given) for model in models}


def test_every_model_runs_with_every_seed(checkerboard, tmp_path):
    runs = run_grid(checkerboard, settings("lightgcn", "crane"), [1, 2], tmp_path)
    order = [("lightgcn", 1), ("lightgcn", 2), ("crane", 1), ("crane", 2)]
    assert [(run["model"], run["seed"]) for run in runs] == order
    lines = (tmp_path / "runs.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == runs
    assert {path.suffix for path in (tmp_path / "runs").iterdir()} == {".json", ".csv"}
    history = pd.read_csv(tmp_path / "runs" / f"{runs[0]['run']}.csv")
    assert history["Recall@20"].max() == pytest.approx(runs[0]["val"]["Recall@20"])
    assert runs[0]["parameters"] == (24 + 40) * 64
    assert runs[0]["epochs"] == 2
    assert runs[0]["settings"] == settings("lightgcn")["lightgcn"]
    assert runs[0]["test"] != runs[1]["test"]


def test_what_is_done_is_not_trained_again(checkerboard, tmp_path, monkeypatch):
    first = run_grid(checkerboard, settings("lightgcn"), [1], tmp_path)
    trained = []
    fit = grid.fit
    monkeypatch.setattr(grid, "fit", lambda *a, **k: trained.append(k["seed"]) or fit(*a, **k))
    assert run_grid(checkerboard, settings("lightgcn"), [1], tmp_path) == first
    assert trained == []
    more = run_grid(checkerboard, settings("lightgcn", "crane"), [1, 2], tmp_path)
    assert trained == [1, 2, 2]
    assert more[0] == first[0]


def test_a_run_that_lacks_a_metric_is_trained_again(checkerboard, tmp_path, monkeypatch):
    run_grid(checkerboard, settings("lightgcn"), [1], tmp_path)
    trained = []
    fit = grid.fit
    monkeypatch.setattr(grid, "fit", lambda *a, **k: trained.append(k["seed"]) or fit(*a, **k))
    more = {"metrics": ("Recall", "NDCG", "MRR"), "by_degree": True}
    for _ in range(2):
        (run,) = run_grid(checkerboard, settings("lightgcn"), [1], tmp_path, **more)
        assert {"MRR@10", "Recall@20"} <= set(run["test"])
        assert set(run["by_degree"]) == {"user", "item"}
    (again,) = run_grid(checkerboard, settings("lightgcn"), [1], tmp_path)
    assert again == run
    assert trained == [1]
    (tmp_path / "no").mkdir()
    with pytest.raises(ValueError, match="metric must be one of"):
        run_grid(checkerboard, settings("lightgcn"), [1], tmp_path / "no", metrics=("AUC",))
    assert list((tmp_path / "no").iterdir()) == []


def test_a_killed_run_goes_on_from_its_last_epoch(checkerboard, tmp_path, monkeypatch):
    models = settings("lightgcn", epochs=4)
    whole = run_grid(checkerboard, models, [1], tmp_path / "whole")
    start_epoch, epochs = LightGCN.start_epoch, []

    def killed(model, data):
        epochs.append(model)
        if len(epochs) == 3:
            raise KeyboardInterrupt
        return start_epoch(model, data)

    monkeypatch.setattr(LightGCN, "start_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        run_grid(checkerboard, models, [1], tmp_path / "killed")
    (history,) = (tmp_path / "killed" / "runs").glob("*.csv")
    assert len(pd.read_csv(history)) >= 1
    assert (tmp_path / "killed" / "runs" / "lightgcn-1.pt").exists()
    again = run_grid(checkerboard, models, [1], tmp_path / "killed")
    assert len(epochs) == 3 + 2
    assert again[0]["test"] == whole[0]["test"]


def test_other_data_protocol_or_settings_are_refused(checkerboard, tmp_path):
    models = settings("lightgcn")
    run_grid(checkerboard, models, [1], tmp_path, about={"dataset": "board"})
    for change, match in (
        ({"protocol": "mmrec"}, "protocol 'strict' and 'mmrec'"),
        ({"about": {"dataset": "go"}}, "data.dataset 'board' and 'go'"),
        ({"settings": settings("lightgcn", lr=0.5)}, "settings of lightgcn.lr 0.001 and 0.5"),
        ({"settings": settings("lightgcn", l2=0.5)}, "settings of lightgcn.l2 None and 0.5"),
    ):
        arguments = {"settings": models, "about": {"dataset": "board"}} | change
        with pytest.raises(ValueError, match=f"holds other runs.*got, there and now: {match}"):
            run_grid(checkerboard, seeds=[1], out=tmp_path, **arguments)
    checkerboard["item"].x_visual[0, 0] += 1
    with pytest.raises(ValueError, match="data.fingerprint"):
        run_grid(checkerboard, models, [1], tmp_path, about={"dataset": "board"})


def test_a_failure_stops_no_other_run_and_is_tried_again(checkerboard, tmp_path):
    graph = checkerboard.clone()
    for modality in ("visual", "textual"):
        del graph["item"][f"x_{modality}"], graph["item"][f"{modality}_mask"]
    for _ in range(2):
        runs = run_grid(graph, settings("crane", "lightgcn"), [1], tmp_path)
        assert [run["model"] for run in runs] == ["crane", "lightgcn"]
        assert runs[0]["error"] == (
            "the data must have item features, or fusion must be None (got no modality)"
        )
        assert "test" in runs[1]
    assert not (tmp_path / "runs" / "crane-1.json").exists()


def test_whatever_a_model_raises_stops_no_other(checkerboard, tmp_path, monkeypatch):
    def fails(*args):
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr(LightGCN, "loss", fails)
    runs = run_grid(checkerboard, settings("lightgcn", "bpr"), [1], tmp_path)
    assert runs[0]["error"] == "RuntimeError: out of memory"
    assert "test" in runs[1]
    for stop in (KeyboardInterrupt, OSError("disk full")):
        monkeypatch.setattr(LightGCN, "loss", lambda *args, stop=stop: (_ for _ in ()).throw(stop))
        with pytest.raises((KeyboardInterrupt, OSError)):
            run_grid(checkerboard, settings("lightgcn"), [1], tmp_path)


@pytest.mark.parametrize("ending", [".json", ".csv", ".safetensors", ".pt"])
def test_a_run_of_a_damaged_file_is_trained_again(checkerboard, tmp_path, ending):
    def start():
        return run_grid(checkerboard, settings("bpr"), [1, 2], tmp_path, keep=["bpr"])

    first = start()
    path = tmp_path / "runs" / f"bpr-1{ending}"
    if ending == ".pt":  # of a run that was killed
        path.with_suffix(".json").unlink()
        path.write_bytes(b"half")
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    again = start()
    assert [run["test"] for run in again] == [run["test"] for run in first]
    assert again[1] == first[1]
    assert {p.name for p in (tmp_path / "runs").iterdir()} == {
        f"bpr-{seed}{end}" for seed in (1, 2) for end in (".json", ".csv", ".safetensors")
    }


def test_a_run_of_something_else_is_not_taken_were_the_note_of_the_folder_lost(
    checkerboard, tmp_path
):
    run_grid(checkerboard, settings("bpr"), [1], tmp_path)
    (tmp_path / "compare.json").unlink()
    (run,) = run_grid(checkerboard, settings("bpr", l2=0.5), [1], tmp_path)
    assert "is of another run; remove it" in run["error"]
    assert "settings.l2" in run["error"]


def variants(**changes):
    """Two rows of one model, as a table of ablations has them."""
    given = {"CRANE": {}, "w/o graph": {"fusion": None}} | changes
    base = SHORT | {"k": 3}
    rows = {label: complete_settings("crane", base | change) for label, change in given.items()}
    return {"settings": rows, "models": dict.fromkeys(rows, "crane")}


def test_variants_of_a_model_have_a_label(checkerboard, tmp_path):
    runs = run_grid(checkerboard, seeds=[1], out=tmp_path, **variants())
    assert [(run["label"], run["model"]) for run in runs] == [
        ("CRANE", "crane"),
        ("w/o graph", "crane"),
    ]
    assert runs[0]["parameters"] > runs[1]["parameters"]
    changed = variants(**{"w/o graph": {"fusion": "concat"}})
    with pytest.raises(ValueError, match=r"settings of w/o graph.fusion None and 'concat'"):
        run_grid(checkerboard, seeds=[1], out=tmp_path, **changed)


def test_grids_that_share_their_runs_train_each_once(checkerboard, tmp_path, monkeypatch):
    shared = tmp_path / "runs"
    run_grid(checkerboard, seeds=[1], out=tmp_path / "a", shared=shared, **variants())
    trained = []
    fit = grid.fit
    monkeypatch.setattr(grid, "fit", lambda *a, **k: trained.append(a[0]) or fit(*a, **k))
    more = variants(CRANE={"fusion": "rca"}, other={"num_rounds": 2})  # the default, spelled out
    runs = run_grid(checkerboard, seeds=[1], out=tmp_path / "b", shared=shared, **more)
    assert len(trained) == 1
    assert len({run["run"] for run in runs}) == 3
    for change in ({"seeds": [2]}, {"seeds": [1], "protocol": "mmrec"}):
        run_grid(
            checkerboard, settings("lightgcn"), out=tmp_path / str(change), shared=shared, **change
        )
    checkerboard["item"].x_visual[0, 0] += 1
    run_grid(checkerboard, settings("lightgcn"), [2], tmp_path / "c", shared=shared)
    assert len(trained) == 4


def test_weights_that_are_asked_for_stay(checkerboard, tmp_path):
    rows = variants()
    run_grid(checkerboard, seeds=[1], out=tmp_path, **rows)
    assert not list(tmp_path.rglob("*.safetensors"))
    runs = run_grid(checkerboard, seeds=[1], out=tmp_path, keep=["CRANE"], **rows)
    (path,) = tmp_path.rglob("*.safetensors")
    assert path.stem == runs[0]["run"]
    assert evaluate(load_model(path, checkerboard), checkerboard, "test") == runs[0]["test"]


def test_an_edge_more_is_another_graph(checkerboard):
    other = checkerboard.clone()
    assert fingerprint(other) == fingerprint(checkerboard)
    edges = other[USER_TO_ITEM].test_edge_label_index
    other[USER_TO_ITEM].test_edge_label_index = torch.cat([edges, edges[:, :1]], dim=1)
    assert fingerprint(other) != fingerprint(checkerboard)


def test_it_says_what_begins_and_what_is_left(checkerboard, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(grid, "time", SimpleNamespace(perf_counter=lambda: 0.0))
    caplog.set_level("INFO", logger="crane_pyg.experiments.grid")
    for seeds in ([1], [1, 2]):
        run_grid(checkerboard, settings("lightgcn"), seeds, tmp_path)
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("1 runs of at most 2 epochs; fewer models, seeds")
    assert said[1:3] == ["lightgcn, seed 1 (1 of 1)", "lightgcn, seed 1 took 00:00"]
    assert said[3].startswith("2 runs of at most 2 epochs, 1 of them done; ")
    run_grid(checkerboard, settings("lightgcn"), [1, 2], tmp_path)
    assert len(caplog.records) == len(said) == 6

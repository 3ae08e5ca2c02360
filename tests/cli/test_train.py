import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from crane_pyg.cli import main
from crane_pyg.datasets import load_dataset
from crane_pyg.nn import SampledSoftmax
from crane_pyg.training import evaluate, load_model

SHORT = ["--epochs", "2", "--device", "cpu"]
KEYS = [
    *("model", "dataset", "protocol", "seed", "world_size", "epochs", "best_epoch"),
    *("seconds_per_epoch", "peak_memory_mb", "val", "test"),
]
METRIC_ORDER = ["Recall@10", "NDCG@10", "Recall@20", "NDCG@20"]
METRICS = set(METRIC_ORDER)


def record(capsys, *argv):
    main(["train", *argv, *SHORT, "--json"])
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def write_folder(folder, features=True):
    """Thirty users with seven of forty items each; the last two are held out."""
    rng = np.random.default_rng(0)
    label = [0, 0, 0, 0, 0, 1, 2]
    pairs = [(user, rng.choice(40, len(label), replace=False)) for user in range(30)]
    rows = [(u, i, x) for u, items in pairs for i, x in zip(items, label, strict=True)]
    table = pd.DataFrame(rows, columns=["userID", "itemID", "x_label"])
    table.to_csv(folder / "small.inter", sep="\t", index=False)
    if features:
        np.save(folder / "visual_feat.npy", rng.standard_normal((40, 12)))
    return str(folder)


def test_without_arguments_it_helps(capsys):
    main([])
    assert "train" in capsys.readouterr().out


@pytest.mark.parametrize("model", ["crane", "lightgcn"])
def test_it_ends_with_a_table(capsys, model):
    main(["train", "tiny", "--model", model, *SHORT])
    head, names, val, test = capsys.readouterr().out.splitlines()
    assert head.startswith(f"{model} on tiny, protocol strict, seed 0: best epoch ")
    assert set(names.split()) == METRICS
    assert (val.split()[0], test.split()[0]) == ("val", "test")


def test_json_is_the_last_line_and_names_everything(capsys):
    main(["train", "tiny", "--protocol", "mmrec", "--seed", "3", *SHORT, "--json"])
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    got = json.loads(line)
    assert list(got) == KEYS
    assert (got["model"], got["dataset"]) == ("crane", "tiny")
    assert (got["protocol"], got["seed"], got["epochs"]) == ("mmrec", 3, 2)
    assert set(got["val"]) == set(got["test"]) == METRICS
    assert "protocol mmrec" in err


def test_more_is_measured(capsys):
    argv = ["tiny", "--model", "lightgcn", "--metrics", "Precision,Coverage", "--by-degree"]
    main(["train", *argv, *SHORT, "--json"])
    out, err = capsys.readouterr()
    got = json.loads(out.splitlines()[-1])
    names = [
        f"{name}@{k}" for k in (10, 20) for name in ("Recall", "NDCG", "Precision", "Coverage")
    ]
    assert list(got["val"]) == list(got["test"]) == names
    users, pairs = got["by_degree"]["user"], got["by_degree"]["item"]
    assert sum(row["pairs"] for row in pairs) == 450
    mean = sum(row["users"] * row["NDCG@20"] for row in users) / sum(row["users"] for row in users)
    assert mean == pytest.approx(got["test"]["NDCG@20"], rel=1e-5)
    table = [line.split() for line in err.splitlines()[-5 - len(users) - len(pairs) :]]
    assert table[0] == names
    assert table[1] == ["val", *(f"{got['val'][name]:.4f}" for name in names)]
    assert table[3] == ["user", "degree", "users", *METRIC_ORDER]
    assert table[4][1:] == [str(users[0]["users"]), *(f"{users[0][x]:.4f}" for x in METRIC_ORDER)]
    assert table[-1][0] == f"{pairs[-1]['min_degree']}-{pairs[-1]['max_degree']}"
    assert table[-1][-1] == f"{pairs[-1]['Recall@20']:.4f}"


def test_out_holds_everything_and_a_second_call_trains_no_more(capsys, tmp_path):
    argv = ["tiny", "--model", "lightgcn", "--out", str(tmp_path / "run")]
    first = record(capsys, *argv)
    files = {path.name: path for path in (tmp_path / "run").iterdir()}
    assert set(files) == {
        *("checkpoint.pt", "model.safetensors", "history.csv", "result.json", "run.json")
    }
    assert json.loads(files["result.json"].read_text()) == first
    history = pd.read_csv(files["history.csv"], index_col="epoch")
    assert {"loss", "bpr", "seconds", "Recall@20"} <= set(history)
    data = load_dataset("tiny")[0]
    assert evaluate(load_model(files["model.safetensors"], data), data, "test") == first["test"]

    second = record(capsys, *argv)
    assert second == first
    assert pd.read_csv(files["history.csv"], index_col="epoch").equals(history)
    main(["train", *argv, "--epochs", "3", "--device", "cpu"])
    longer = pd.read_csv(files["history.csv"], index_col="epoch")
    assert len(longer) == 3
    assert longer.iloc[:2].equals(history)


def test_a_run_in_the_background_says_how_far_it_is(capsys):
    main(["train", "tiny", "--model", "lightgcn", *SHORT, "--json"])
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert [line[:14] for line in err.splitlines() if line.startswith("epoch ")] == [
        *("epoch 1 of 2: ", "epoch 2 of 2: ")
    ]


def test_quiet_leaves_the_result_alone(capsys):
    argv = ["train", "tiny", "--model", "lightgcn", *SHORT, "--quiet"]
    main(argv)
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("lightgcn on tiny")
    main([*argv, "--json"])
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out)["epochs"] == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_tracker_gets_the_numbers_too(capsys, tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    argv = ["tiny", "--model", "lightgcn", "--track", "tensorboard", "--out", str(tmp_path)]
    got = record(capsys, *argv)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    points = events.Scalars("train/loss")
    history = pd.read_csv(tmp_path / "history.csv", index_col="epoch")
    assert {point.step: point.value for point in points} == pytest.approx(history["loss"].to_dict())
    (test,) = events.Scalars("test/Recall@20")
    assert test.value == pytest.approx(got["test"]["Recall@20"])


def test_settings_reach_the_model(capsys, tmp_path):
    values = ["embedding_dim=8", "num_layers=1", "fusion=null", "readout=last"]
    values += ["residual=null", "fit_users=false"]
    sets = [word for value in values for word in ("--set", value)]
    record(capsys, "tiny", *sets, "--out", str(tmp_path))
    data = load_dataset("tiny")[0]
    model = load_model(tmp_path / "model.safetensors", data)
    assert repr(model) == (
        "CRANE(300, 200, 8, num_layers=1, num_item_layers=1, item_graph=None, content_term=None, "
        "history_fit=None, residual=None)"
    )
    assert model.encoder.readout == "last"


@pytest.mark.parametrize("name", ["crane", "lightgcn"])
def test_the_ranking_loss_is_a_setting(capsys, tmp_path, name):
    values = ["ranking=softmax", "ranking_temperature=0.1", "ranking_negatives=batch"]
    values.append("ranking_similarity=cosine")
    sets = [word for value in values for word in ("--set", value)]
    first = record(capsys, "tiny", "--model", name, *sets, "--out", str(tmp_path))
    assert "softmax" in pd.read_csv(tmp_path / "history.csv")
    data = load_dataset("tiny")[0]
    model = load_model(tmp_path / "model.safetensors", data)
    most = {"crane": 512, "lightgcn": 1024}[name]
    assert model.objective.ranking == SampledSoftmax(0.1, "batch", max_negatives=most)
    assert evaluate(model, data, "test") == first["test"]


def test_a_preset_sets_training_too_and_the_command_line_wins(capsys, tmp_path):
    argv = ["tiny", "--preset", "sports", "--set", "k=3", "--set", "refresh=epoch"]
    argv += ["--batch-size", "4096"]
    record(capsys, *argv, "--out", str(tmp_path))
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["identity"]
    assert (saved["lr"], saved["batch_size"]) == (5e-5, 4096)
    model = load_model(tmp_path / "model.safetensors", load_dataset("tiny")[0])
    assert model.objective.contrastive.weight == 0.7
    assert (model.item_graph.refresh, model.item_graph.graph.k) == ("epoch", 3)


def test_a_folder_is_data_too(capsys, tmp_path):
    folder = write_folder(tmp_path)
    assert record(capsys, folder, "--set", "k=3")["dataset"] == "small"
    got = record(capsys, folder, "--split", "random", "--set", "k=3", "--min-interactions", "7")
    assert set(got["test"]) == METRICS
    assert record(capsys, folder, "--split", "cold", "--set", "k=3")["test"] != got["test"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["train", "nowhere"], "one of the presets tiny"),
        (["train", "tiny", "--model", "crane9"], "crane9"),
        (["train", "tiny", "--set", "k"], "NAME=VALUE (got 'k')"),
        (["train", "tiny", "--set", "kk=3"], "weight_decay (got 'kk')"),
        (["train", "tiny", "--set", "k=many"], "k of crane must be int (got 'many')"),
        (["train", "tiny", "--set", "k=500"], "(got k=500"),
        (
            ["train", "tiny", "--set", "embedding_dim=-1"],
            "embedding_dim of crane must be at least 1",
        ),
        (["train", "tiny", "--set", "readout=first"], "readout of crane must be one of"),
        (["train", "tiny", "--preset", "baby2"], "preset of CRANE must be one of"),
        (["train", "tiny", "--model", "lightgcn", "--preset", "baby"], "LightGCN has no preset"),
        (["train", "tiny", "--epochs", "0"], "epochs of crane must be at least 1"),
        (["train", "tiny", "--device", "abacus"], "abacus"),
        (["train", "tiny", "--metrics", "AUC"], "choose among Recall, NDCG"),
        (["train", "tiny", "--split", "time"], "split of a preset must be one of"),
        (["train", "tiny", "--protocol", "lenient"], "lenient"),
        (["test", "tiny"], "test"),
    ],
)
def test_a_mistake_ends_in_one_line_and_status_2(capsys, argv, message):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    out, err = capsys.readouterr()
    assert stop.value.code == 2
    assert out == ""
    line = err.splitlines()[-1]
    assert line.startswith("error: ")
    assert message in line
    assert "Traceback" not in err


@pytest.mark.parametrize("argv", [["train", "nowhere"], ["train", "tiny", "--set", "kk=3"], ["x"]])
def test_a_mistake_in_the_command_is_all_that_is_printed(capsys, argv):
    with pytest.raises(SystemExit):
        main(argv)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_model_that_needs_features_says_so(capsys, tmp_path):
    folder = write_folder(tmp_path, features=False)
    with pytest.raises(SystemExit) as stop:
        main(["train", folder, *SHORT])
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "error: the data must have item features, or fusion must be None (got no modality)\n"
    )
    record(capsys, folder, "--set", "fusion=null")
    record(capsys, folder, "--model", "lightgcn")
    with pytest.raises(SystemExit):  # and does not train first
        main(["train", folder, "--model", "lightgcn", "--metrics", "Diversity", *SHORT])
    assert "must have item features" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (["--lr", "0.5"], "settings.lr 0.001 and 0.5"),
        (["--set", "l2=0.5"], "settings.l2 0.0001 and 0.5"),
        (["--set", "embedding_dim=8"], "settings.embedding_dim 64 and 8"),
        (["--model", "bpr"], "model 'lightgcn' and 'bpr'"),
        (["--split-seed", "1"], "data.split_seed 0 and 1"),
        (["--protocol", "mmrec"], "protocol 'strict' and 'mmrec'"),
        (["--seed", "1"], "seed 0 and 1"),
    ],
)
def test_a_folder_of_another_run_is_refused_in_one_line(capsys, short_run, other, message):
    before = {path.name: path.read_bytes() for path in short_run.iterdir()}
    with pytest.raises(SystemExit) as stop:
        main(["train", "tiny", "--model", "lightgcn", "--out", str(short_run), *SHORT, *other])
    assert stop.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: '{short_run}' holds other runs; choose another folder")
    assert message in line
    assert {path.name: path.read_bytes() for path in short_run.iterdir()} == before


@pytest.fixture(scope="module")
def short_run(tmp_path_factory):
    """The folder of a run that tests leave as it is."""
    out = tmp_path_factory.mktemp("run")
    main(["train", "tiny", "--model", "lightgcn", "--out", str(out), *SHORT])
    return out


def test_other_files_in_the_folder_of_the_data_are_other_data(capsys, tmp_path):
    folder = write_folder(tmp_path)
    argv = ["train", folder, "--model", "lightgcn", "--out", str(tmp_path / "run"), *SHORT]
    main(argv)
    np.save(tmp_path / "visual_feat.npy", np.ones((40, 12)))
    with pytest.raises(SystemExit):
        main(argv)
    assert "data.fingerprint '" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("name", ["checkpoint.pt", "run.json"])
def test_a_damaged_file_is_one_line_that_says_what_to_do(capsys, tmp_path, short_run, name):
    run, argv = tmp_path / "run", ["tiny", "--model", "lightgcn"]
    shutil.copytree(short_run, run)
    whole = (run / name).read_bytes()
    (run / name).unlink()
    (run / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit) as stop:
        record(capsys, *argv, "--out", str(run))
    assert stop.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: '{run / name}' is damaged")
    (run / name).unlink()
    again, before = record(capsys, *argv, "--out", str(run)), short_run / "result.json"
    assert again["test"] == json.loads(before.read_text())["test"]


def test_a_file_as_out_is_a_mistake(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as stop:
        main(["train", "tiny", *SHORT, "--out", str(tmp_path / "file")])
    assert stop.value.code == 2

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch

from crane_pyg.cli import main
from crane_pyg.nn.models import LightGCN

SHORT = ["--epochs", "2", "--device", "cpu"]
FILES = {"compare.json", "runs", "runs.jsonl", "table.csv", "table.md", "table.png"}


def compare(*argv):
    main(["compare", "tiny", *map(str, argv), *SHORT])


def scores(folder):
    """The table without what a run costs."""
    table = pd.read_csv(folder / "table.csv")
    return table[table["metric"].str.contains("@")].reset_index(drop=True)


def test_it_ends_with_a_table(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    compare("--models", "lightgcn,bpr", "--seeds", "9,672", "--out", tmp_path)
    out = capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert (tmp_path / "table.md").read_text() == out
    assert out.startswith("tiny, protocol strict, test, mean ± deviation over seeds 9, 672\n")
    rows = [line for line in out.splitlines() if line.startswith("| ")]
    names = [line.split()[1] for line in rows]
    assert names == ["model", "--------", "LightGCN", "BPR"] * 2
    assert rows[0].replace(" ", "") == (
        "|model|seeds|Recall@10|Recall@20|NDCG@10|NDCG@20|s/epoch|peakMB|parameters|"
    )
    runs = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    assert [(run["model"], run["seed"]) for run in runs] == [
        *(("lightgcn", 9), ("lightgcn", 672), ("bpr", 9), ("bpr", 672))
    ]
    assert {(run["dataset"], run["protocol"]) for run in runs} == {("tiny", "strict")}
    mean = (runs[0]["test"]["Recall@20"] + runs[1]["test"]["Recall@20"]) / 2
    assert scores(tmp_path)["value"][2] == pytest.approx(mean)


def test_more_is_measured(capsys, tmp_path):
    argv = ["--models", "lightgcn,bpr", "--seeds", "9,672", "--out", tmp_path]
    compare(*argv, "--metrics", "Popularity", "--by-degree")
    out = capsys.readouterr().out
    runs = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    head = next(line for line in out.splitlines() if line.startswith("| model"))
    assert "| NDCG@20                | Popularity@10 " in head
    assert "Popularity@20" in set(scores(tmp_path)["metric"])
    by_user, by_item = out.split("\n\n")[-3::2]
    first = [run["by_degree"]["item"][-1]["Recall@20"] for run in runs[:2]]
    assert by_item.splitlines()[2].split("|")[-2].strip() == f"{sum(first) / 2:.4f}"
    assert f"({runs[0]['by_degree']['user'][0]['users']})" in by_user.splitlines()[0]
    compare(*argv)  # what is there is more than is asked for, and is not lost
    assert "Popularity@20" in capsys.readouterr().out


def test_a_run_is_what_train_does(capsys, tmp_path):
    compare("--models", "crane", "--seeds", "5", "--protocol", "mmrec", "--out", tmp_path)
    main(["train", "tiny", "--seed", "5", "--protocol", "mmrec", *SHORT, "--json"])
    trained = json.loads(capsys.readouterr().out.splitlines()[-1])
    run = json.loads((tmp_path / "runs.jsonl").read_text())
    for key in ("test", "val", "best_epoch", "protocol", "seed"):
        assert run[key] == trained[key]


def test_a_second_start_trains_nothing(capsys, tmp_path, monkeypatch):
    argv = ["--models", "lightgcn", "--seeds", "1,2", "--out", tmp_path]
    compare(*argv)
    first = capsys.readouterr().out
    monkeypatch.setattr(LightGCN, "loss", None)
    compare(*argv)
    assert capsys.readouterr().out == first


def test_a_start_after_a_kill_ends_with_the_same_table(capsys, tmp_path):
    argv = ["--models", "lightgcn,crane", "--seeds", "1,2", "--out"]
    compare(*argv, tmp_path / "whole")
    killed, command = tmp_path / "killed", [sys.executable, "-m", "crane_pyg", "compare", "tiny"]
    process = subprocess.Popen(
        [*command, *argv, str(killed), *SHORT],
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None:
        if any(killed.glob("runs/*.json")) and any(killed.glob("runs/*.pt")):
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    assert process.wait() == -signal.SIGKILL
    assert 0 < len(list(killed.glob("runs/*.json"))) < 4
    assert not (killed / "table.md").exists()
    compare(*argv, killed)
    assert scores(killed).equals(scores(tmp_path / "whole"))


def test_other_settings_in_the_folder_are_refused(capsys, tmp_path):
    argv = ["--models", "lightgcn", "--seeds", "1", "--out", tmp_path]
    compare(*argv)
    for other, message in (
        (["--protocol", "mmrec"], "protocol 'strict' and 'mmrec'"),
        (["--split-seed", "1"], "data.split_seed 0 and 1"),
        (["--lr", "0.5"], "settings of lightgcn.lr 0.001 and 0.5"),
    ):
        with pytest.raises(SystemExit) as stop:
            compare(*argv, *other)
        assert stop.value.code == 2
        assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_model_that_fails_is_in_the_table_and_in_the_status(capsys, tmp_path):
    file = tmp_path / "settings.json"
    file.write_text('{"crane": {"k": 500}}')
    argv = ["--models", "crane,lightgcn", "--seeds", "1,2", "--settings", file]
    with pytest.raises(SystemExit) as stop:
        compare(*argv, "--out", tmp_path / "out")
    assert stop.value.code == 1
    out = capsys.readouterr().out
    assert "| CRANE    | 0 of 2 | failed " in out
    assert "| LightGCN | 2      | **0." in out
    assert out.splitlines()[-1].startswith("- CRANE, seed 1, 2: k must be smaller than")
    assert set(scores(tmp_path / "out")["model"]) == {"lightgcn"}


def test_settings_and_presets_reach_the_models(capsys, tmp_path):
    file = tmp_path / "settings.json"
    file.write_text('{"lightgcn": {"num_layers": 1, "lr": 0.5}, "bpr": {"l2": 0.5}}')
    argv = ["--models", "lightgcn,crane", "--seeds", "1", "--settings", file, "--preset", "sports"]
    compare(*argv, "--out", tmp_path / "out")
    runs = (tmp_path / "out" / "runs.jsonl").read_text().splitlines()
    lightgcn, crane = (json.loads(run)["settings"] for run in runs)
    assert (lightgcn["num_layers"], lightgcn["lr"]) == (1, 0.5)
    assert (crane["beta"], crane["lr"], crane["epochs"]) == (0.7, 5e-5, 2)


def test_without_matplotlib_all_but_the_figure_is_there(capsys, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    compare("--models", "bpr", "--seeds", "1", "--out", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES - {"table.png"}
    assert "pip install 'crane-pyg[plot]'" in caplog.text


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--models", "crane9"], "choose among bm3, bpr, crane"),
        (["--models", "bpr,bpr"], "name each once (got bpr,bpr)"),
        (["--models", "bpr", "--protocol", "lenient"], "lenient"),
        (["--models", "bpr", "--seeds", "1,x"], "a seed is an integer below 2**32 (got 'x')"),
        (["--models", "bpr", "--seeds", "-1"], "a seed is an integer"),
        (["--models", "bpr", "--seeds", ""], "(got '')"),
        (["--models", "bpr", "--seeds", "1,1"], "name each once (got 1,1)"),
        (["--models", "bpr", "--preset", "mars"], "BPR has no preset (got 'mars')"),
        (["--models", "bpr", "--settings", "nowhere.json"], "nowhere.json"),
        ([], "--models"),
    ],
)
def test_a_mistake_ends_in_one_line_and_status_2(capsys, tmp_path, argv, message):
    with pytest.raises(SystemExit) as stop:
        compare(*argv, "--out", tmp_path)
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []

"""Every table and figure of the paper is made, adds up, and is not trained twice."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.image import imread

from benchmarks.paper import figure4, figure5, figure6, table4, table5, table6
from benchmarks.paper.__main__ import main
from benchmarks.paper.report import PARTS
from crane_pyg.datasets import load_dataset
from crane_pyg.experiments import grid
from crane_pyg.nn.models import MODELS

SEEDS = ["1", "2"]
SHORT = ["--data", "tiny", "--epochs", "1", "--sizes", "tiny", "--seeds", *SEEDS]
SHORT += ["--set", "residual=null"]  # after an epoch it would speak louder than what is varied
GRIDS = tuple(  # fewer cells than the paper's
    grid._replace(values=(grid.values[0][:2], grid.values[1][:3])) for grid in figure5.GRIDS
)
ORDER = ("bpr", "freedom", "crane")
METRICS = ("Recall@10", "Recall@20", "NDCG@10", "NDCG@20")


def paper(name, out, *argv):
    main([name, *SHORT, *map(str, argv), "--out", str(out)])


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """All of it, trained once for the tests of this file."""
    folder = tmp_path_factory.mktemp("paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure6, "DRAWS", 5)
        patch.setattr(table6, "ROUNDS", 1)
        patch.setattr(figure5, "GRIDS", GRIDS)
        patch.setattr(table4, "ORDER", ORDER)
        paper("all", folder)
    return folder


def cells(folder, name):
    """Tables of a page, each a list of rows of words."""
    text = (folder / name / "table.md").read_text()
    blocks = re.findall(r"(?:^\|.*\n?)+", text, flags=re.MULTILINE)
    rows = [[line.strip("|\n").split("|") for line in block.splitlines()] for block in blocks]
    return [[[word.strip() for word in row] for row in block] for block in rows]


def column(rows, name):
    place = rows[0].index(name)
    return [row[place] for row in rows[2:]]


def frame(folder, name):
    return pd.read_csv(folder / name / "table.csv")


def test_the_page_shows_every_part(out):
    page = (out / "report.md").read_text()
    assert page.count("\n## ") == len(PARTS)
    assert "Not made" not in page
    assert "failed" not in page
    for link in re.findall(r"\]\(([^)#]+)\)", page):
        assert (out / link).stat().st_size > 0
    figures = {path.parent.name for path in out.glob("*/figure.png")}
    assert figures == {"table4", "figure4", "figure5", "figure6", "figure7", "figure8"}


@pytest.mark.parametrize("name", ["table4", "figure4", "figure5", "figure6", "figure7", "figure8"])
def test_figures_are_of_a_column_and_not_blank(out, name):
    image = imread(out / name / "figure.png")[:, :, :3]
    assert 1000 <= image.shape[1] <= 1050  # 85 to 89 mm
    colored = image.max(axis=2) - image.min(axis=2) > 0.3
    assert 0.001 < colored.mean() < 0.7


@pytest.mark.parametrize("name", ["table4", "table5", "figure4", "figure5", "table6"])
def test_scores_are_finite_and_of_all_seeds(out, name):
    scores = frame(out, name)
    scores = scores[scores["metric"].isin(METRICS)]
    seeds = 1 if name == "figure5" else len(SEEDS)
    assert (scores["seeds"] == seeds).all()
    assert np.isfinite(scores["value"]).all()
    assert not scores.duplicated(["label", "metric"]).any()


def test_table2_counts(out):
    report = load_dataset("tiny").report
    (row,) = frame(out, "table2").to_dict("records")
    assert (row["users"], row["items"]) == (report.num_users, report.num_items) == (300, 200)
    assert row["interactions per user"] == pytest.approx(4_500 / 300)
    assert row["sparsity"] == pytest.approx(1 - 4_500 / 60_000)
    assert cells(out, "table2")[0][2][3:6] == ["4,500", "92.50%", "15.00"]


def test_table3_has_the_papers_values_and_those_in_use(out):
    table = frame(out, "table3").set_index("setting")
    assert table.loc["k"].tolist() == [15, 15, 10, 10, 10, 10]
    assert table.loc["epochs", ["baby", "here"]].tolist() == [250, 1]
    assert "not the default: epochs" in (out / "table3" / "table.md").read_text()


def test_table4_is_in_the_order_of_the_paper(out):
    scores, p_values = cells(out, "table4")
    assert column(scores, "model") == column(p_values, "model") == ["BPR", "FREEDOM", "CRANE"]
    assert set(table4.ORDER) <= set(MODELS)
    assert len(table4.ORDER) == 11


def test_table5_takes_away_and_adds(out):
    (rows,) = cells(out, "table5")
    expected = [label for label in table5.ROWS if label != "w/o residual"]  # as it is
    assert column(rows, "row") == expected
    by_label = dict(zip(column(rows, "row"), rows[2:], strict=True))
    assert by_label["w/o RCA"][2:6] == by_label["with CL"][2:6]
    assert by_label["w/o RCA"][6] == "every part on"
    assert len({tuple(row[2:6]) for row in rows[2:]}) == len(expected) - 2
    changes = dict(zip(column(rows, "row"), column(rows, "NDCG@20, change"), strict=True))
    assert changes.pop("w/o thinning") == "identical"  # users of this set have many items
    del changes["CRANE"]
    assert all(re.fullmatch(r"[+-]\d+\.\d% \(p = .+\)", change) for change in changes.values())


def test_figure4_has_each_modality_and_each_fusion(out):
    (rows,) = cells(out, "figure4")
    singles = ["CRANE-textual", "CRANE-visual"]
    assert column(rows, "row") == [*singles, *figure4.EARLY_AND_LATE, "CRANE"]
    assert len(set(column(rows, "NDCG@20"))) == 6


def test_figure5_has_a_cell_per_pair(out):
    tables = cells(out, "figure5")
    assert len(tables) == 2 * len(GRIDS)
    for rows, expected in zip(tables[::2], GRIDS, strict=True):
        assert rows[0] == [expected.names[0], *map(str, expected.values[1])]
        assert [row[0] for row in rows[2:]] == [str(value) for value in expected.values[0]]
        assert len({word for row in rows[2:] for word in row[1:]}) > 3
    runs = [json.loads(line) for line in (out / "figure5" / "runs.jsonl").read_text().splitlines()]
    (run,) = (run for run in runs if run["label"] == "num_rounds=2, k=10")
    assert tables[2][3][2] == f"{run['val']['Recall@20']:.4f}"


def test_table6_varies_both_equations_and_times_them(out):
    (rows,) = cells(out, "table6")
    assert len(rows) == 2 + 10
    assert all(float(seconds) > 0 for seconds in column(rows, "s / epoch"))
    changes = dict(zip(column(rows, "row"), column(rows, "Recall@20, change"), strict=True))
    assert changes["eq. 5 mean"] == "identical"  # rows are normalised
    assert changes["eq. 16 mean"] != "identical"


def test_figure6_is_of_the_same_users(out):
    table = frame(out, "figure6")
    assert table.groupby("model").size().to_dict() == {"CRANE": 5, "FREEDOM": 5}
    assert table["silhouette"].between(-1, 1).all()
    assert (table["ratio"] - table["within"] / table["between"]).abs().max() < 1e-9
    drawn = figure6.draw_users(load_dataset("tiny")[0], 1)
    assert drawn.user.unique().numel() == 8
    assert drawn.item.unique().numel() == drawn.item.numel()


def test_numbers_of_users_apart_by_hand():
    """Eight orthogonal directions: everyone sits on their own items."""
    user = torch.eye(8)
    owner = torch.arange(8).repeat(3)
    drawn = figure6.Draw(torch.arange(8), torch.arange(24), owner)
    found = figure6.numbers(user, user[owner], drawn)
    assert found == {"silhouette": 1.0, "within": 0.0, "between": 1.0, "ratio": 0.0}


def test_figure7_measures_each_rival(out):
    table = frame(out, "figure7")
    assert table["model"].tolist() == ["CRANE, exact", "CRANE, Nyström", "FREEDOM"]
    assert (table["items"] == 200).all()
    extrapolated = table["begin_s"] + table["first_step_s"] + table["step_s"] * 3
    assert (table["epoch_s"] - extrapolated).abs().max() < 1e-9
    assert (table["peak_memory_mb"] > 1).all()


def test_figure8_is_the_history(out):
    curves = frame(out, "figure8")
    assert curves.groupby(["label", "seed"]).size().to_dict() == {
        (model, seed): 1 for model in ("CRANE", "FREEDOM") for seed in (1, 2)
    }
    runs = [json.loads(line) for line in (out / "figure8" / "runs.jsonl").read_text().splitlines()]
    # What CRANE chooses after training is in its scores, and in no epoch.
    drawn = curves[curves["label"] == "FREEDOM"]["NDCG@20"].tolist()
    wanted = [run["val"]["NDCG@20"] for run in runs if run["label"] == "FREEDOM"]
    assert drawn == pytest.approx(wanted)


def test_what_is_done_is_not_trained_again(out, monkeypatch, capsys):
    files = {path: path.stat().st_mtime_ns for path in (out / "runs").iterdir()}
    assert not list(out.glob("runs/*.pt"))
    monkeypatch.setattr(grid, "fit", None)
    monkeypatch.setattr(figure6, "DRAWS", 5)
    monkeypatch.setattr(table6, "epoch_seconds", None)
    monkeypatch.setattr(figure5, "GRIDS", GRIDS)
    monkeypatch.setattr(table4, "ORDER", ORDER)
    before = (out / "report.md").read_text()
    paper("all", out)
    assert (out / "report.md").read_text() == before
    assert capsys.readouterr().out == before
    assert files == {path: path.stat().st_mtime_ns for path in (out / "runs").iterdir()}


def test_a_comparison_made_elsewhere(out, tmp_path, capsys):
    paper("table4", tmp_path, "--compare", out / "table4")
    assert frame(tmp_path, "table4").equals(frame(out, "table4"))
    with pytest.raises(SystemExit):
        paper("table4", tmp_path, "--compare", out / "table4", "--protocol", "mmrec")
    assert "must hold runs of" in capsys.readouterr().err


def test_what_cannot_be_made_stops_nothing_else(tmp_path, capsys):
    skipped = ["table4", "figure5", "figure7", *(f"table{n}" for n in (3, 5, 6))]
    argv = ["--data", "tiny", "--epochs", "1", "--seeds", "1", "--set", "k=500"]
    main(["all", *argv, "--skip", *skipped, "--out", str(tmp_path)])
    page = capsys.readouterr().out
    assert "Not made: k must be smaller than the number of items" in page
    assert page.count("\n## ") == len(PARTS) - len(skipped)
    assert "| FREEDOM |" in page.replace("  ", "")


def test_a_start_after_a_kill_ends_with_the_same_tables(tmp_path):
    """Of three parts, two of which share a run."""
    chosen = {"table2", "figure4", "figure8"}
    argv = [*SHORT[:2], "--epochs", "3", "--seeds", "1", "--skip", *(set(PARTS) - chosen)]
    main(["all", *argv, "--out", str(tmp_path / "whole")])
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.paper", "all", *argv, "--out", str(killed)],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None:
        if len(list(killed.glob("runs/*.json"))) > 2 and any(killed.glob("runs/*.pt")):
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    assert process.wait() == -signal.SIGKILL
    done = {path: path.stat().st_mtime_ns for path in killed.glob("runs/*.json")}
    assert 2 < len(done) < 7
    assert not (killed / "report.md").exists()
    main(["all", *argv, "--out", str(killed)])
    for path, written in done.items():
        assert path.stat().st_mtime_ns == written
    assert (killed / "figure4" / "table.md").read_text() == (
        tmp_path / "whole" / "figure4" / "table.md"
    ).read_text()
    curves = [
        frame(tmp_path / name, "figure8").drop(columns="seconds") for name in ("whole", "killed")
    ]
    assert curves[0].equals(curves[1])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["table9"], "table9"),
        (["table2", "--data", "nowhere"], "presets"),
        (["table5", "--set", "jam=1"], "crane has the settings"),
        (["table5", "--seeds", "x"], "'x'"),
    ],
)
def test_a_mistake_ends_in_one_line_and_status_2(tmp_path, capsys, argv, message):
    with pytest.raises(SystemExit) as stop:
        main([argv[0], "--data", "tiny", *argv[1:], "--out", str(tmp_path)])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []

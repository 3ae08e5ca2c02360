import re

import pytest

from crane_pyg.nn.models import LightGCN
from crane_pyg.training import FitResult, fit
from crane_pyg.training.progress import Progress
from tests.training.short_runs import SHORT, build


def test_a_line_for_each_epoch_where_there_is_no_terminal(checkerboard, capsys):
    options = SHORT | {"progress": True, "eval_every": 2}
    fit(build(checkerboard, LightGCN), checkerboard, **options)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"epoch {n} of 5" for n in range(1, 6)]
    assert re.fullmatch(
        r"epoch 1 of 5: loss \d\.\d{4}, \d+\.\d\d s an epoch, at most \d\d:\d\d left", lines[0]
    )
    assert re.fullmatch(
        r"epoch 5 of 5: loss \S+, Recall@20 \S+, best \S+ in epoch [245], \S+ s an epoch", lines[4]
    )


def test_what_is_left_is_counted_from_where_this_process_began(capsys, monkeypatch):
    clock = iter([100.0, 110.0, 130.0])
    monkeypatch.setattr("crane_pyg.training.progress.time.perf_counter", lambda: next(clock))
    result = FitResult(history=[{"epoch": 1.0, "loss": 1.0}] * 40)
    with Progress(result, 100, shown=True) as shown:
        for _ in range(2):
            result.history.append({"epoch": 1.0, "loss": 0.5})
            shown.update()
    first, second = capsys.readouterr().err.splitlines()
    assert first == "epoch 41 of 100: loss 0.5000, 10.00 s an epoch, at most 09:50 left"
    assert second == "epoch 42 of 100: loss 0.5000, 15.00 s an epoch, at most 14:30 left"


@pytest.mark.parametrize("terminal", [False, True])
def test_what_the_model_chose_after_training_is_told(checkerboard, capsys, monkeypatch, terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    model = build(checkerboard, LightGCN)

    def calibrate(*_):
        model.user_embedding.weight.data.neg_()
        return 0.0

    monkeypatch.setattr(model, "calibrate", calibrate)
    result = fit(model, checkerboard, **SHORT | {"progress": True, "monitor": "GMean@20"})
    last = capsys.readouterr().err.splitlines()[-1]
    before = max(row["GMean@20"] for row in result.history)
    assert before != result.best_score
    assert last == (
        f"GMean@20 {result.best_score:.4f} with what the model chose after training, "
        f"{before:.4f} without"
    )


def test_a_bar_on_a_terminal(checkerboard, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    fit(build(checkerboard, LightGCN), checkerboard, **SHORT | {"progress": True})
    err = capsys.readouterr().err
    assert "epoch 1 of 5" not in err
    assert re.search(r"5/5 \[.*loss=\d\.\d{4}, best Recall@20=\d\.\d{4}\]", err)


@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_where_nothing_is_asked_for(checkerboard, capsys, monkeypatch, terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    fit(build(checkerboard, LightGCN), checkerboard, **SHORT)
    assert capsys.readouterr().err == ""

import pytest

from crane_pyg.nn.models import LightGCN
from crane_pyg.training import fit
from crane_pyg.training.history import HistoryFile
from tests.training.short_runs import SHORT, build

SHORT = SHORT | {"eval_every": 2}  # so that not every row has scores


@pytest.fixture
def every_row(monkeypatch):
    monkeypatch.setattr("crane_pyg.training.history._BETWEEN", 0.0)


@pytest.mark.usefixtures("every_row")
def test_it_grows_and_ends_as_the_result_has_it(checkerboard, tmp_path):
    path, seen = tmp_path / "history.csv", []
    history = HistoryFile(path)

    def callback(row):
        history(row)
        seen.append(path.read_text())

    result = fit(build(checkerboard, LightGCN), checkerboard, **SHORT, callback=callback)
    assert [text.count("\n") for text in seen] == [2, 3, 4, 5, 6]
    assert seen[-1] == result.to_frame().to_csv()
    assert "Recall@20" in seen[1]


@pytest.mark.usefixtures("every_row")
def test_a_killed_run_that_goes_on_has_no_row_twice(checkerboard, tmp_path):
    path, checkpoint = tmp_path / "history.csv", tmp_path / "checkpoint.pt"
    killed = HistoryFile(path)

    def kill(row):
        killed(row)
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    options = SHORT | {"checkpoint": checkpoint}
    with pytest.raises(KeyboardInterrupt):
        fit(build(checkerboard, LightGCN), checkerboard, **options, callback=kill)
    assert path.read_text().count("\n") == 4
    again = HistoryFile(path)
    result = fit(build(checkerboard, LightGCN), checkerboard, **options, callback=again)
    assert path.read_text() == result.to_frame().to_csv()
    assert result.epochs == 5


def test_quick_epochs_do_not_wait_for_the_disk(checkerboard, tmp_path, monkeypatch):
    clock = iter([10.0, 10.0, 10.4, 10.8, 11.2, 11.2, 11.3, 11.3])
    monkeypatch.setattr("crane_pyg.training.history.time.monotonic", lambda: next(clock))
    path, counts = tmp_path / "history.csv", []
    history = HistoryFile(path)
    for epoch in range(1, 6):
        history({"epoch": float(epoch), "seconds": 0.4})
        counts.append(path.read_text().count("\n") - 1)
    assert counts == [1, 1, 1, 4, 4]
    history.finish()
    assert path.read_text().count("\n") - 1 == 5

"""The four ways in which a command ends, as README lists them."""

import os
import signal

import pytest

from benchmarks.paper.__main__ import main as paper
from crane_pyg.cli import main, train
from crane_pyg.training.history import HistoryFile

SHORT = ["--model", "lightgcn", "--epochs", "1", "--device", "cpu"]


def status(command, argv):
    """The exit status of a command; 0 where it just returns."""
    try:
        command(argv)
    except SystemExit as stop:
        return stop.code or 0
    return 0


def test_0_is_done(capsys):
    assert status(main, ["train", "tiny", *SHORT]) == 0
    for argv in (["--version"], ["train", "--help"], []):
        assert status(main, argv) == 0


def test_1_is_done_and_found_wanting(capsys, tmp_path):
    (tmp_path / "x.inter").write_text("userID\titemID\tx_label\n0\t0\t0\n0\t0\t1\n")
    assert status(main, ["inspect", str(tmp_path)]) == 1
    argv = ["--models", "lightgcn", "--seeds", "1", "--epochs", "1", "--lr", "1e30"]
    assert status(main, ["compare", "tiny", *argv, "--out", str(tmp_path / "table")]) == 1


@pytest.mark.parametrize(
    "argv",
    [
        ["train", "tiny", "--jam"],
        ["train", "nowhere"],
        ["train", "tiny", "--set", "k=many"],
        ["train", "tiny", *SHORT, "--out", "/dev/null/out"],
        ["jam"],
    ],
)
def test_2_is_a_mistake_or_a_file_that_cannot_be_written(capsys, argv):
    assert status(main, argv) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")


def test_130_is_an_interrupt(capsys, monkeypatch, tmp_path):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "fit", interrupt)
    assert status(main, ["train", "tiny", *SHORT]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted"
    monkeypatch.setattr("benchmarks.paper.table2.run", interrupt)
    assert status(paper, ["table2", "--data", "tiny", "--out", str(tmp_path)]) == 130


@pytest.fixture
def heeds_interrupts():
    """What a shell starts in the background ignores them, and so do its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeds_interrupts")
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_signal_in_the_middle_leaves_the_history(capsys, monkeypatch, tmp_path):
    take = HistoryFile.__call__

    def take_and_interrupt(history, row):
        take(history, row)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(HistoryFile, "__call__", take_and_interrupt)
    out = tmp_path / "run"
    assert status(main, ["train", "tiny", *SHORT, "--out", str(out)]) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted"
    assert (out / "history.csv").read_text().startswith("epoch,loss")
    monkeypatch.undo()
    assert status(main, ["train", "tiny", *SHORT, "--out", str(out)]) == 0
    assert (out / "history.csv").read_text().count("\n") == 2

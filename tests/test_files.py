import errno
import os
import signal
from pathlib import Path

import pytest

from crane_pyg.files import write_atomically, write_text


def test_folders_are_made_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "folder" / "file.txt"
    write_text(path, "first")
    write_text(str(path), "second")
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    def disk_full(aside):
        aside.write_text("half")
        raise OSError("disk full")

    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, disk_full)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file.txt"]


def test_processes_that_write_at_once_do_not_meet(tmp_path, killed):
    path = tmp_path / "file.txt"

    def while_another_is_killed(aside):
        aside.write_text("mine")
        killed(lambda: write_atomically(path, dies))
        assert aside.read_text() == "mine"

    def dies(aside):
        aside.write_text("theirs")
        os.kill(os.getpid(), signal.SIGKILL)

    write_atomically(path, while_another_is_killed)
    assert path.read_text() == "mine"


def test_what_killed_writers_left_goes_with_the_next(tmp_path, killed):
    path = tmp_path / "file.txt"

    def dies(aside):
        aside.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)

    killed(lambda: write_atomically(path, dies))
    assert len(list(tmp_path.glob(".file.txt.*.part"))) == 1
    write_text(path, "whole")
    assert list(tmp_path.iterdir()) == [path]


def test_links_are_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    monkeypatch.setattr("secrets.token_hex", lambda size: "0" * 8)
    for place in (".file.txt.00000000.part", ".file.txt.1.part", "file.txt"):
        (tmp_path / place).symlink_to(victim)
    write_text(tmp_path / "file.txt", "mine")
    assert victim.read_text() == "precious"
    assert (tmp_path / "file.txt").read_text() == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"victim", "file.txt"}


def test_what_is_no_file_is_refused(tmp_path):
    for path in (tmp_path, Path("/dev/null")):
        with pytest.raises(ValueError, match="must be a file"):
            write_text(path, "text")


def test_an_error_names_the_file_that_was_to_be_written(tmp_path):
    def disk_full(aside):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match=r"No space left on device: '.*/file.txt'"):
        write_atomically(tmp_path / "file.txt", disk_full)
    with pytest.raises(FileNotFoundError, match="'elsewhere'"):
        write_atomically(tmp_path / "file.txt", lambda aside: os.stat("elsewhere"))
    assert list(tmp_path.iterdir()) == []


def test_file_and_folder_are_on_the_disk_before_it_returns(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        true = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, t=true: (calls.append(n), t(*a)))
    write_text(tmp_path / "file.txt", "text")
    assert calls == ["fsync", "replace", "fsync"]

import os
import signal

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

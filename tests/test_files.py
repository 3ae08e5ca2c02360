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
    write_text(path, "new")
    assert [file.name for file in tmp_path.iterdir()] == ["file.txt"]

import pytest

from crane_pyg.preparation import open_folder, recognise_format
from tests.preparation.formats.folders import write


def test_a_folder_of_nobody_is_told_what_is_known(tmp_path):
    write(tmp_path / "notes.md", "hello")
    with pytest.raises(ValueError, match=r"one of the formats recbole: .*notes\.md"):
        recognise_format(tmp_path)
    with pytest.raises(ValueError, match=r"must lie in a folder \(got"):
        recognise_format(tmp_path / "notes.md")
    with pytest.raises(ValueError, match=r"must lie in a folder \(got"):
        open_folder(tmp_path / "nowhere", "recbole")


def test_a_folder_of_two_asks_which(tmp_path):
    write(tmp_path / "train.txt", "0 1")
    write(tmp_path / "test.txt", "0 2")
    write(tmp_path / "u.data", "1\t1\t1\t1")
    with pytest.raises(
        ValueError, match=r"say which with --from \(got \['movielens', 'lightgcn'\]"
    ):
        recognise_format(tmp_path)
    assert open_folder(tmp_path, "lightgcn").split == "given"


def test_a_name_that_is_no_format(tmp_path):
    with pytest.raises(ValueError, match="format must be one of 'recbole'"):
        open_folder(tmp_path, "spotify")

import json

import numpy as np
import pytest

from crane_pyg.seals import DamagedFileError, read_record, write_record
from crane_pyg.serving import Recommender
from crane_pyg.serving.artefact import Artefact, as_arrays, write_artefact
from crane_pyg.serving.rows import Rows
from crane_pyg.serving.texts import Texts

WORDS = ["", "jam", "Ж\n", "tail", "\ud800"]


def test_texts_come_back_one_by_one_and_all_at_once():
    texts = Texts.of(WORDS)
    assert repr(texts) == "Texts(5)"
    assert list(texts) == texts.all() == WORDS
    assert (texts[-1], texts[1:3]) == (WORDS[-1], WORDS[1:3])
    with pytest.raises(IndexError):
        texts[5]
    assert Texts.of([]).all() == []


def test_rows_are_those_of_the_dense_matrix():
    draw = np.random.default_rng(0)
    dense = draw.random((5, 7)).astype(np.float32) * (draw.random((5, 7)) < 0.4)
    row, column = dense.nonzero()
    order = draw.permutation(len(row))
    rows = Rows.of(row[order], column[order], 5, dense[row, column][order])
    assert len(rows) == 5
    np.testing.assert_array_equal([rows.dense(i, 7) for i in range(5)], dense)
    np.testing.assert_allclose(rows.sum([0, 3, 3], 7), dense[0] + 2 * dense[3], rtol=1e-6)
    np.testing.assert_array_equal(rows.sum([], 7), np.zeros(7))


def arrays():
    rows = {"graph": Rows.of(np.array([0, 2]), np.array([1, 0]), 3, np.ones(2, np.float32))}
    return as_arrays({"names": WORDS}, rows, x=np.arange(6.0).reshape(2, 3), none=np.zeros((0, 2)))


def test_what_is_written_is_read(tmp_path):
    write_artefact(tmp_path / "a", {"why": "ë"}, arrays(), "# Card")
    found = Artefact(tmp_path / "a")
    assert found.about == {"why": "ë"}
    np.testing.assert_array_equal(found.array("x", 2, 3), arrays()["x"])
    assert not found.array("x", 2, 3).flags.writeable
    assert found.array("none", 0, 2).size == 0
    assert found.texts("names", 5).all() == WORDS
    np.testing.assert_array_equal(found.rows("graph", 3, 2).indices(2), [0])
    assert (tmp_path / "a" / "README.md").read_text() == "# Card"


def test_writing_again_leaves_the_new_one_alone(tmp_path):
    write_artefact(tmp_path, {}, arrays(), "")
    old = Artefact(tmp_path)
    write_artefact(tmp_path, {}, {"x": np.ones(3)}, "")
    np.testing.assert_array_equal(Artefact(tmp_path).array("x", 3), np.ones(3))
    assert len([*tmp_path.glob("*.npy")]) == 1
    np.testing.assert_array_equal(old.array("x", 2, 3), arrays()["x"])  # who has it open keeps it


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match="new, empty or an artefact"):
        write_artefact(tmp_path, {}, {}, "")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_what_a_killed_export_left_is_replaced(tmp_path):
    write_artefact(tmp_path, {}, arrays(), "")
    (tmp_path / "artefact.json").unlink()
    write_artefact(tmp_path, {}, {"x": np.ones(3)}, "")
    assert {path.suffix for path in tmp_path.iterdir()} == {".npy", ".json", ".md"}
    np.testing.assert_array_equal(Artefact(tmp_path).array("x", 3), np.ones(3))


def test_a_missing_or_other_array_is_named(tmp_path):
    write_artefact(tmp_path, {}, arrays(), "")
    found = Artefact(tmp_path)
    with pytest.raises(ValueError, match="must hold the array 'y'"):
        found.array("y")
    with pytest.raises(ValueError, match=r"'x': must have the shape \[2, 4\] \(got \[2, 3\]\)"):
        found.array("x", 2, 4)
    with pytest.raises(ValueError, match=r"'graph_index': must lie between 0 and 0"):
        found.rows("graph", 3, 1)
    found.arrays["names_start"] = np.array([0, 9, 4, 4, 4, 4])
    with pytest.raises(ValueError, match="must ascend"):
        found.texts("names")


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "pickle", "missing"])
def test_damage_is_found_and_named(exported, tmp_path, damage):
    exported()
    path = next((tmp_path / "shop").glob("item-*.npy"))
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-5] ^= 1
    if damage == "cut":
        del content[-7:]
    if damage == "empty":
        content.clear()
    path.write_bytes(content)
    if damage == "pickle":
        np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    if damage == "missing":
        path.unlink()
    with pytest.raises(DamagedFileError, match=f"'{path}' is"):
        Recommender.load(tmp_path / "shop")


def test_a_note_that_lies_is_refused(exported, tmp_path):
    exported()
    note = tmp_path / "shop" / "artefact.json"
    record = read_record(note)

    def refused(match, **changes):
        write_record(note, {**record, **changes})
        with pytest.raises(ValueError, match=match) as caught:
            Recommender.load(tmp_path / "shop")
        assert "\n" not in str(caught.value)

    refused("format 2, which this version reads", format=99)
    files = record["arrays"]
    outside = {"file": "../../etc/passwd", "dtype": "<f4", "shape": [1]}
    refused("files of its own folder", arrays={**files, "item": outside})
    refused("must say how its arrays become scores", about={})
    refused("must be one of", about={**record["about"], "similarity": "guess"})
    refused("shape", arrays={**files, "item": files["user"]})
    refused("neither", arrays={n: f for n, f in files.items() if n != "item"})
    note.write_text(json.dumps(record))
    with pytest.raises(DamagedFileError):
        Recommender.load(tmp_path / "shop")
    with pytest.raises(ValueError, match="must be the folder of an export"):
        Recommender.load(tmp_path)

import numpy as np
import pytest

from crane_pyg.preparation import Rules, recognise_format
from tests.preparation.formats.folders import (
    ITEMS,
    PAIRS,
    features_by_id,
    pairs_of,
    prepared,
    write,
)

LABEL = [0, 0, 0, 1, 2]
HEAD = "userID\titemID\trating\ttimestamp\tx_label"


@pytest.fixture
def folder(tmp_path):
    rows = (f"{u}\t{i}\t5.0\t{1000 + i}\t{LABEL[(u + i) % 5]}" for u, i in PAIRS)
    write(tmp_path / "baby.inter", HEAD, *rows)
    np.save(tmp_path / "image_feat.npy", np.arange(2.0 * ITEMS).reshape(ITEMS, 2) + 1)
    np.save(tmp_path / "text_feat.npy", np.arange(3.0 * ITEMS).reshape(ITEMS, 3) + 1)
    return tmp_path


def test_the_split_and_the_features_are_those_of_the_folder(folder):
    assert recognise_format(folder) == "mmrec"
    report, table, shown = prepared(folder)
    assert shown == [
        f"baby.inter, {len(PAIRS) + 1} lines: user = userID, item = itemID, rating = rating, "
        "timestamp = timestamp, label = x_label"
    ]
    for label in range(3):
        wanted = {(str(u), str(i)) for u, i in PAIRS if LABEL[(u + i) % 5] == label}
        assert pairs_of(table, label) == wanted
    assert report.missing == {"image": 0, "text": 0}
    assert features_by_id(folder, "image") == {str(i): [2 * i + 1, 2 * i + 2] for i in range(ITEMS)}
    assert features_by_id(folder, "text")["7"] == [22, 23, 24]


def test_another_split_and_items_that_go(folder):
    rows = [(u, i) for u, i in PAIRS if i != 3 or u == 1]
    write(folder / "baby.inter", HEAD, *(f"{u}\t{i}\t5\t{1000 + i}\t0" for u, i in rows))
    report, table, _ = prepared(folder, rules=Rules(split="last", k_core=2))
    assert pairs_of(table) == {(str(u), str(i)) for u, i in rows if i != 3}
    assert features_by_id(folder, "image")["4"] == [9, 10]
    assert report.notes["image: rows of 'image_feat.npy' for items that are not in the data set"]


def test_original_ids(folder):
    write(folder / "u_id_mapping.csv", "user_id\tuserID", *(f"A{u}\t{u}" for u in range(10)))
    write(folder / "i_id_mapping.csv", "asin\titemID", *(f"B00{i}\t{i}" for i in range(ITEMS)))
    _, table, _ = prepared(folder)
    assert pairs_of(table) == {(f"A{u}", f"B00{i}") for u, i in PAIRS}
    assert features_by_id(folder, "image")["B005"] == [11, 12]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["asin\titemID", "B0\t0"],
            r"baby\.inter', line 2, column 'itemID': must be a number that",
        ),
        (["asin\titemID", "B0\t0", "B0\t1"], r"must name each id and each number once \(got 'B0'"),
        (["asin\tnumber", "B0\t0"], "needs a column 'itemID'"),
        (["asin\ttitle\titemID", "B0\tx\t0"], "must have two columns, ids and numbers"),
    ],
)
def test_ids_that_do_not_fit(folder, lines, message):
    write(folder / "i_id_mapping.csv", *lines)
    with pytest.raises(ValueError, match=message):
        prepared(folder)


def test_without_labels_the_split_is_drawn(folder):
    write(folder / "baby.inter", "userID\titemID", *(f"{u}\t{i}" for u, i in PAIRS))
    _, table, _ = prepared(folder)
    assert table["x_label"].value_counts().to_dict() == {0: len(PAIRS) - 10, 1: 5, 2: 5}


def test_code_in_features_is_refused(folder):
    np.save(folder / "image_feat.npy", np.array([{"a": 1}] * ITEMS), allow_pickle=True)
    with pytest.raises(ValueError, match="image_feat"):
        prepared(folder)

import numpy as np
import pytest

from crane_pyg.datasets.interactions import (
    Interactions,
    find_interactions,
    read_interactions,
    split_interactions,
)

HEADER = "userID\titemID\tx_label\n"


def write(tmp_path, text, name="shop.inter"):
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def test_other_columns_may_stand_anywhere(tmp_path):
    text = 'note\titemID\trating\tuserID\tx_label\tcity\n"a\t5\t1.5\t3\t0\tÅbo\nb\t6\t\t4\t2\t\n'
    user, item, label, timestamp = read_interactions(write(tmp_path, text))
    assert user.tolist() == [3, 4]
    assert item.tolist() == [5, 6]
    assert label.tolist() == [0, 2]
    assert timestamp is None
    assert user.dtype == item.dtype == label.dtype == np.int64


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    text = "\ufeff" + HEADER.replace("\n", "\r\n") + "1\t2\t0\r\n"
    user, item, *_ = read_interactions(write(tmp_path, text))
    assert (user.tolist(), item.tolist()) == ([1], [2])


def test_label_column_is_not_needed_when_not_asked_for(tmp_path):
    path = write(tmp_path, "userID\titemID\n1\t2\n")
    user, item, label, _ = read_interactions(path, split="random")
    assert (user.tolist(), item.tolist()) == ([1], [2])
    assert label is None


@pytest.mark.parametrize("split", ["time", "last"])
def test_the_time_is_read_where_the_split_needs_it(tmp_path, split):
    path = write(tmp_path, "timestamp\tuserID\titemID\n9007199254740992\t1\t2\n-1.5e3\t1\t3\n")
    assert read_interactions(path, split=split).timestamp.tolist() == [2**53, -1500]
    for bad in ("nan", "-inf", "1e999", "1_0", "", "soon"):
        write(tmp_path, f"timestamp\tuserID\titemID\n0\t1\t2\n{bad}\t1\t3\n")
        message = rf"line 3, column 'timestamp': must be a finite number \(got '{bad}'\)"
        with pytest.raises(ValueError, match=message):
            read_interactions(path, split=split)
    path = write(tmp_path, "userID\titemID\n1\t2\n")
    with pytest.raises(ValueError, match=r"needs a column 'timestamp' \(got \['userID', "):
        read_interactions(path, split=split)


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        ("1.5\t2\t0", "userID", "'1.5'"),
        ("1.0\t2\t0", "userID", "'1.0'"),
        ("1e3\t2\t0", "userID", "'1e3'"),
        ("1_0\t2\t0", "userID", "'1_0'"),
        ("1\tabc\t0", "itemID", "'abc'"),
        ("\t2\t0", "userID", "''"),
        ("True\t2\t0", "userID", "'True'"),
        ("nan\t2\t0", "userID", "'nan'"),
        ("1\t99999999999999999999\t0", "itemID", "'99999999999999999999'"),
        ("1\t2147483648\t0", "itemID", "'2147483648'"),
        ("-1\t2\t0", "userID", "'-1'"),
        ("1\t-7\t0", "itemID", "'-7'"),
        ("1\t2\t3", "x_label", "'3'"),
        ("1\t2\t-1", "x_label", "'-1'"),
        ("1\t2\ttrain", "x_label", "'train'"),
    ],
)
def test_bad_cell_is_located(tmp_path, row, column, value):
    path = write(tmp_path, f"{HEADER}0\t0\t0\n1\t1\t1\n{row}\n5\t5\t2\n")
    with pytest.raises(ValueError, match=rf"shop\.inter', line 4, column '{column}'.*got {value}"):
        read_interactions(path)


def test_a_column_of_booleans_is_no_column_of_ids(tmp_path):
    path = write(tmp_path, f"{HEADER}True\t0\t0\nFalse\t0\t0\n")
    with pytest.raises(ValueError, match=r"line 2, column 'userID'.*got 'True'"):
        read_interactions(path)


@pytest.mark.parametrize(("row", "found"), [("1\t2", 2), ("1\t2\t0\t0", 4), ("1 2 0", 1)])
def test_every_row_has_a_field_for_each_column(tmp_path, row, found):
    path = write(tmp_path, f"{HEADER}0\t0\t0\n\n{row}\n")
    with pytest.raises(ValueError, match=rf"line 4: must have 3 fields between tabs.*got {found}"):
        read_interactions(path)


def test_a_bad_cell_is_located_in_a_later_block(tmp_path):
    rows = ["1\t2\t0"] * 5000
    rows[4321] = "1\t2\t7"
    path = write(tmp_path, HEADER + "\n".join(rows))
    with pytest.raises(ValueError, match=r"line 4323, column 'x_label': .*\(got '7'\)"):
        read_interactions(path)


@pytest.mark.parametrize("column", ["userID", "itemID", "x_label"])
def test_missing_column(tmp_path, column):
    path = write(tmp_path, HEADER.replace(column, "other") + "1\t2\t0\n")
    with pytest.raises(ValueError, match=rf"shop\.inter' needs a column '{column}' .*'other'"):
        read_interactions(path)


def test_doubled_column(tmp_path):
    path = write(tmp_path, "userID\titemID\tx_label\tuserID\n1\t2\t0\t1\n")
    with pytest.raises(ValueError, match=r"line 1: must name each column once \(got 'userID' "):
        read_interactions(path)


def test_empty_files(tmp_path):
    with pytest.raises(ValueError, match=r"shop\.inter', line 1: must name the columns \(got ''\)"):
        read_interactions(write(tmp_path, ""))
    with pytest.raises(ValueError, match=r"shop\.inter' has a header but no interactions"):
        read_interactions(write(tmp_path, HEADER))


def test_find_interactions(tmp_path):
    with pytest.raises(ValueError, match=r"does not exist \(got '.*nowhere'\)"):
        find_interactions(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"must hold one '\.inter' file.*got \[\]"):
        find_interactions(tmp_path)
    shop = write(tmp_path, HEADER)
    write(tmp_path, HEADER, "._shop.inter")
    assert find_interactions(tmp_path) == shop
    club = write(tmp_path, HEADER, "club.inter")
    with pytest.raises(ValueError, match=r"got \['club\.inter', 'shop\.inter'\]"):
        find_interactions(tmp_path)
    assert find_interactions(tmp_path, "club") == club
    with pytest.raises(ValueError, match=r"no file 'pub\.inter'.*got name='pub'"):
        find_interactions(tmp_path, "pub")


def rows(*table):
    user, item, label, timestamp = np.array(table).T
    return Interactions(user, item, label, timestamp)


def test_of_a_repeated_pair_the_earliest_row_counts():
    found = split_interactions(rows((0, 1, 2, 5), (0, 1, 1, 9), (3, 0, 0, 0), (0, 1, 1, 7)))
    assert list(zip(found.user, found.item, found.label)) == [(3, 0, 0), (0, 1, 1)]
    assert (found.num_duplicates, found.num_leaked) == (2, 1)
    assert found.original_user.tolist() == [0, 1, 2, 3]


def test_rare_users_go_and_the_others_are_numbered_anew():
    table = rows((4, 0, 0, 0), (4, 1, 0, 0), (2, 1, 0, 0), (2, 1, 0, 0), (0, 0, 1, 0), (0, 2, 0, 0))
    found = split_interactions(table, min_user_interactions=2)
    assert list(zip(found.user, found.item, found.label)) == [
        *[(1, 0, 0), (1, 1, 0)],
        *[(0, 0, 1), (0, 2, 0)],
    ]
    assert found.original_user.tolist() == [0, 4]

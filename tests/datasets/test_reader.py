import re

import numpy as np
import pytest
import torch

from crane_pyg.datasets._reader import (
    find_features,
    find_interactions,
    read_features,
    read_interactions,
)

HEADER = "userID\titemID\tx_label\n"


def write(tmp_path, text, name="shop.inter"):
    path = tmp_path / name
    path.write_bytes(text.encode())
    return path


def test_other_columns_may_stand_anywhere(tmp_path):
    text = 'note\titemID\trating\tuserID\tx_label\tcity\n"a\t5\t1.5\t3\t0\tÅbo\nb\t6\t\t4\t2\t\n'
    pairs, label = read_interactions(write(tmp_path, text))
    assert pairs.tolist() == [[3, 4], [5, 6]]
    assert label is not None
    assert label.tolist() == [0, 2]
    assert pairs.dtype == label.dtype == torch.long


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    text = "\ufeff" + HEADER.replace("\n", "\r\n") + "1\t2\t0\r\n"
    pairs, _ = read_interactions(write(tmp_path, text))
    assert pairs.tolist() == [[1], [2]]


def test_label_column_is_not_needed_when_not_asked_for(tmp_path):
    pairs, label = read_interactions(write(tmp_path, "userID\titemID\n1\t2\n"), column=None)
    assert pairs.tolist() == [[1], [2]]
    assert label is None


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        ("1.5\t2\t0", "userID", "'1.5'"),
        ("1.0\t2\t0", "userID", "'1.0'"),
        ("1e3\t2\t0", "userID", "'1e3'"),
        ("1\tabc\t0", "itemID", "'abc'"),
        ("\t2\t0", "userID", "''"),
        ("1\t2", "x_label", "''"),
        ("", "userID", "''"),
        ("True\t2\t0", "userID", "'True'"),
        ("nan\t2\t0", "userID", "'nan'"),
        ("1\t99999999999999999999\t0", "itemID", "'99999999999999999999'"),
        ("1\t2147483648\t0", "itemID", "2147483648"),
        ("-1\t2\t0", "userID", "-1"),
        ("1\t-7\t0", "itemID", "-7"),
        ("1\t2\t3", "x_label", "3"),
        ("1\t2\t-1", "x_label", "-1"),
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


@pytest.mark.parametrize("column", ["userID", "itemID", "x_label"])
def test_missing_column(tmp_path, column):
    path = write(tmp_path, HEADER.replace(column, "other") + "1\t2\t0\n")
    with pytest.raises(ValueError, match=rf"shop\.inter', line 1: .*'{column}'.*got .*'other'"):
        read_interactions(path)


def test_doubled_column(tmp_path):
    path = write(tmp_path, "userID\titemID\tx_label\tuserID\n1\t2\t0\t1\n")
    with pytest.raises(ValueError, match=r"line 1: needs one column 'userID'"):
        read_interactions(path)


def test_empty_files(tmp_path):
    with pytest.raises(ValueError, match=r"shop\.inter' is empty"):
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


def test_find_features(tmp_path):
    for name in ("text_feat.npy", "image_feat.npy", "_feat.npy", "._text_feat.npy", "other.npy"):
        (tmp_path / name).touch()
    assert list(find_features(tmp_path)) == ["image", "text"]


@pytest.mark.parametrize("dtype", ["float16", "float32", ">f8", "int32", "uint8"])
def test_features_and_mask(tmp_path, dtype):
    path = tmp_path / "text_feat.npy"
    np.save(path, np.array([[1, 2], [0, 0], [0, 3]], dtype=dtype))
    x, mask = read_features(path)
    assert x.dtype == torch.float32
    assert x.tolist() == [[1, 2], [0, 0], [0, 3]]
    assert mask.tolist() == [True, False, True]


def test_column_major_features(tmp_path):
    path = tmp_path / "text_feat.npy"
    np.save(path, np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    x, _ = read_features(path)
    assert x.is_contiguous()
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("value", "dtype"), [(np.nan, "float32"), (-np.inf, "float16"), (1e300, "float64")]
)
def test_features_must_be_finite(tmp_path, value, dtype):
    array = np.ones((5000, 3), dtype=dtype)
    array[4321, 2] = value
    path = tmp_path / "text_feat.npy"
    np.save(path, array)
    where = rf"text_feat\.npy', row 4321, column 2: .*got {re.escape(str(array[4321, 2]))}"
    with pytest.raises(ValueError, match=where):
        read_features(path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[1, "a"]], dtype=object), r"got: .*object"),
        (np.array([["a", "b"]]), r"real numbers \(got dtype <U1\)"),
        (np.array([[1j]]), r"real numbers \(got dtype complex128\)"),
        (np.array([[True]]), r"real numbers \(got dtype bool\)"),
        (np.ones(3), r"matrix.*got \(3,\)"),
        (np.ones((2, 3, 4)), r"matrix.*got \(2, 3, 4\)"),
        (np.ones((2, 0)), r"got"),
    ],
)
def test_features_must_be_a_matrix_of_numbers(tmp_path, array, message):
    path = tmp_path / "text_feat.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(ValueError, match=rf"text_feat\.npy' must .*{message}"):
        read_features(path)


@pytest.mark.parametrize("content", [b"", b"1,2,3\n", b"\x80\x04N.", b"\x93NUMPY\x01\x00"])
def test_features_must_be_an_npy_file(tmp_path, content):
    path = tmp_path / "text_feat.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"text_feat\.npy' must be an '\.npy' file"):
        read_features(path)


def test_archive_of_features_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", np.ones((2, 2)))
    path = (tmp_path / "a.npz").rename(tmp_path / "text_feat.npy")
    with pytest.raises(ValueError, match=r"got an archive"):
        read_features(path)

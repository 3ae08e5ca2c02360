import re

import numpy as np
import pytest
import torch

from crane_pyg.datasets import npy
from crane_pyg.datasets.npy import (
    create_features,
    features_path,
    find_features,
    open_features,
    read_features,
    write_features,
)


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


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_large_file_stays_on_the_disk(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(npy, "MAPPED_FROM", 1)
    path = tmp_path / "text_feat.npy"
    np.save(path, np.array([[1, 2], [0, 0], [0, 3]], dtype=dtype))
    before = path.read_bytes()
    x, mask = read_features(path)
    assert x.dtype == getattr(torch, dtype)
    assert x.tolist() == [[1, 2], [0, 0], [0, 3]]
    assert mask.tolist() == [True, False, True]
    x[0] = 7
    assert path.read_bytes() == before


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


def test_what_is_written_is_read(tmp_path):
    path = features_path(tmp_path, "text")
    rows = np.random.default_rng(0).standard_normal((5000, 3)).astype(np.float32)
    write_features(path, 5000, (rows[start : start + 1700] for start in range(0, 5000, 1700)))
    assert find_features(tmp_path) == {"text": path}
    assert np.array_equal(open_features(path), rows)
    again = create_features(path, (5000, 3))
    assert not again.any()
    again[::-1] = rows[::-1]
    del again
    assert np.array_equal(read_features(path)[0].numpy(), rows)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([np.eye(2)], r"needs 3 rows, one per item \(got 2\)"),
        ([np.eye(3), np.eye(3)], r"needs 3 rows, one per item \(got 6\)"),
        ([np.eye(2), np.eye(1)], r"rows of one width \(got \(1, 1\) after width 2\)"),
        ([np.ones(3)], r"rows of one width \(got \(3,\)"),
        ([np.full((3, 1), np.inf)], r"must get finite rows"),
        ([], r"needs 3 rows, one per item \(got 0\)"),
    ],
)
def test_only_a_matrix_of_numbers_is_written(tmp_path, blocks, message):
    with pytest.raises(ValueError, match=r"^'a_feat\.npy' .*" + message):
        write_features(features_path(tmp_path, "a"), 3, blocks)


@pytest.mark.parametrize("name", ["x", "x_a", "", ".a", "a/b", "a\\b", "a\nb", "\udcff"])
def test_features_are_called_by_what_a_file_and_a_graph_can_hold(tmp_path, name):
    with pytest.raises(
        ValueError, match="^Features must be called .*" + re.escape(f"got {name!r})")
    ):
        features_path(tmp_path, name)

import os
import pickle

import numpy as np
import pandas as pd
import pytest
import torch

from crane_pyg.preparation.aligned_features import align_features
from tests.preparation.shop import FEATURES, refused
from tests.preparation.shop import ITEMS as NAMES

IDS = ["a, 1", "b", "3", "d"]
X = np.arange(8, dtype=np.float64).reshape(4, 2) + 1
ITEMS = ["3", "new", "a, 1", "d"]
EXPECTED = [[5, 6], [0, 0], [1, 2], [7, 8]]


def save(folder, kind):
    path = folder / f"x.{kind.partition(' ')[2] or kind}"
    if kind == "npy":
        np.save(path, X.astype(np.float16))
    elif kind == "npz":
        np.savez(path, ids=np.array(IDS), features=X)
    elif kind == "dictionary pt":
        torch.save({"ids": IDS, "features": torch.tensor(X)}, path)
    elif kind == "tensor pt":
        torch.save(torch.tensor(X, dtype=torch.bfloat16), path)
    elif kind == "lists parquet":
        pd.DataFrame({"item_id": IDS, "vector": X.tolist()}).to_parquet(path)
    else:
        pd.DataFrame({"p": X[:, 0], "item_id": IDS, "q": X[:, 1]}).to_parquet(path)
    return path


KINDS = ["npy", "npz", "dictionary pt", "tensor pt", "lists parquet", "columns parquet"]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_go_to_their_items(tmp_path, kind):
    path = save(tmp_path, kind)
    order = IDS if kind in ("npy", "tensor pt") else ["not", "looked", "at"]
    found = align_features(path, ITEMS, order=order)
    (block,) = found.blocks()
    assert block.tolist() == EXPECTED
    assert block.dtype == np.float32
    assert found.num_unknown == 1


@pytest.mark.parametrize("kind", ["txt", "npy", "number"])
def test_ids_beside_them(tmp_path, kind):
    path = save(tmp_path, "npy")
    ids = tmp_path / f"ids.{'npy' if kind == 'number' else kind}"
    items = ITEMS
    if kind == "txt":
        ids.write_text("\n".join(IDS) + "\n")
    elif kind == "npy":
        np.save(ids, np.array(IDS))
    else:
        np.save(ids, np.array([10, 11, 12, 13]))
        items = ["12", "new", "10", "13"]
    (block,) = align_features(path, items, ids=ids, order=["not looked at"]).blocks()
    assert block.tolist() == EXPECTED


def test_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("crane_pyg.preparation.aligned_features._BLOCK", 3)
    blocks = list(align_features(save(tmp_path, "npz"), ITEMS).blocks())
    assert [len(block) for block in blocks] == [3, 1]
    assert np.concatenate(blocks).tolist() == EXPECTED


def test_whose_rows_they_are_must_be_said_once(tmp_path):
    with pytest.raises(ValueError, match=r"does not say whose its rows are: .*\(got neither\)"):
        align_features(save(tmp_path, "npy"), ITEMS)
    (tmp_path / "ids.txt").write_text("")
    with pytest.raises(ValueError, match=r"has ids of its own \(got '.*ids\.txt' as well\)"):
        align_features(save(tmp_path, "npz"), ITEMS, ids=tmp_path / "ids.txt")


class Code:
    def __reduce__(self):
        return os.mkdir, ("never",)


@refused(r"x\.npy' must hold real numbers \(got dtype <U2\)")
def test_features_of_text(shop):
    return shop.features(np.array([["ab"]] * 6))


@refused(r"x\.npy' must hold real numbers \(got dtype complex128\)")
def test_complex_features(shop):
    return shop.features(FEATURES * 1j)


@refused(r"x\.npy' must be a matrix with a row per item \(got \(6,\)\)")
def test_features_without_a_width(shop):
    return shop.features(FEATURES[:, 0])


@refused(r"x\.npy' must have a row for each of the 6 ids of the table of items \(got 5\)")
def test_features_of_other_length(shop):
    return shop.features(FEATURES[:5])


@refused(r"x\.npy', row 4, column 1: must be finite \(got nan\)")
def test_features_with_nan(shop):
    values = FEATURES.copy()
    values[4, 1] = np.nan
    return shop.features(values)


@refused(r"x\.npy', row 0, column 0: must be finite \(got 1e\+300\)")
def test_features_too_large(shop):
    return shop.features(np.full((6, 2), 1e300))


@refused(r"x\.npy' must be an '\.npy' file of numbers \(got: .*Python objects")
def test_features_that_hold_objects(shop):
    return shop.features(FEATURES.astype(object))


@refused(r"x\.npy' must be an '\.npy' file of numbers")
def test_features_cut_off(shop):
    options = shop.features()
    os.truncate(shop.folder / "x.npy", 150)
    return options


@refused(r"x\.pt' must hold tensors and no code \(got: ")
def test_a_tensor_file_that_holds_code(shop):
    torch.save(Code(), shop.folder / "x.pt")
    return ["--features", f"audio={shop.path('x.pt')}"]


@refused(r"x\.pt' must hold tensors and no code \(got: ")
def test_a_pickle_that_holds_code(shop):
    (shop.folder / "x.pt").write_bytes(pickle.dumps(Code()))
    return ["--features", f"audio={shop.path('x.pt')}"]


@refused(r"x\.pt' must hold tensors and no code \(got: ")
def test_a_tensor_file_cut_off(shop):
    torch.save(torch.ones(6, 2), shop.folder / "x.pt")
    os.truncate(shop.folder / "x.pt", 300)
    return ["--features", f"audio={shop.path('x.pt')}"]


@refused(r"x\.npz' must hold 'ids' and 'features' \(got \['features'\]\)")
def test_an_archive_without_ids(shop):
    np.savez(shop.folder / "x.npz", features=FEATURES)
    return ["--features", f"audio={shop.path('x.npz')}"]


@refused(r"x\.npz' must be an '\.npz' file of numbers")
def test_an_archive_cut_off(shop):
    np.savez(shop.folder / "x.npz", features=FEATURES, ids=np.array(NAMES))
    os.truncate(shop.folder / "x.npz", 300)
    return ["--features", f"audio={shop.path('x.npz')}"]


@refused(r"x\.npz' must be an '\.npz' file of numbers \(got: .*allow_pickle=False\)")
def test_an_archive_with_objects_for_ids(shop):
    np.savez(shop.folder / "x.npz", features=FEATURES, ids=np.array(NAMES, dtype=object))
    return ["--features", f"audio={shop.path('x.npz')}"]


@refused(r"x\.npz' must name each item once \(got 'item 1, no\. 1' for rows 0 and 1\)")
def test_an_archive_with_an_id_twice(shop):
    np.savez(shop.folder / "x.npz", features=FEATURES, ids=np.array([NAMES[1], *NAMES[1:]]))
    return ["--features", f"audio={shop.path('x.npz')}"]


@refused(r"ids\.txt' must name items of the interactions \(got none of them, .*'item_0' where")
def test_ids_of_something_else(shop):
    (shop.folder / "ids.txt").write_text("\n".join(f"item_{i}" for i in range(6)))
    return [*shop.features(), "--ids", f"audio={shop.path('ids.txt')}"]


@refused(r"ids\.txt' \(got 6\)")
def test_ids_too_few(shop):
    (shop.folder / "ids.txt").write_text("\n".join(NAMES[:4]))
    return [*shop.features(), "--ids", f"audio={shop.path('ids.txt')}"]


@refused(r"x\.jam' must end in one of \.npy, \.npz, \.pt, \.parquet \(got '\.jam'\)")
def test_features_of_no_known_kind(shop):
    (shop.folder / "x.jam").write_text("")
    return ["--features", f"audio={shop.path('x.jam')}"]


@refused(r"x\.parquet' must have rows of one length")
def test_ragged_parquet(shop):
    rows = {"item_id": NAMES, "x": [[1.0]] * 5 + [[1.0, 2.0]]}
    pd.DataFrame(rows).to_parquet(shop.folder / "x.parquet")
    return ["--features", f"audio={shop.path('x.parquet')}"]

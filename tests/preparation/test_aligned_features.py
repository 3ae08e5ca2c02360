import numpy as np
import pandas as pd
import pytest
import torch

from crane_pyg.preparation.aligned_features import align_features

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

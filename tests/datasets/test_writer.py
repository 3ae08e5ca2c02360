import csv
import json
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crane_pyg.datasets import MultimodalDataset
from crane_pyg.datasets.folder import whole_folder
from crane_pyg.datasets.ids import read_ids
from crane_pyg.datasets.npy import create_features, features_path
from crane_pyg.datasets.writer import fill_folder, write_dataset

EDGE = ("user", "interacts", "item")
TABLE = pd.DataFrame({"userID": [0, 0, 1, 1], "itemID": [0, 1, 2, 0], "x_label": [0, 1, 2, 0]})
USERS, ITEMS = ["a, b", 'say "c"'], ["x", "y\nz", " w"]


def ids(path):
    with path.open(newline="", encoding="utf-8") as file:
        return [row["original_id"] for row in csv.DictReader(file)]


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder(tmp_path):
    blocks = (np.full((1, 5), i) for i in range(3))
    write_dataset(
        tmp_path / "new" / "out",
        "shop",
        TABLE.assign(rating=[1.0, 2.5, 3.0, 4.0], jam=0),
        users=USERS,
        items=ITEMS,
        features={"text": np.eye(3), "image": blocks},
        about_items={"title": ["X", 'Y "y"', ""]},
        metadata={"seed": 3},
    )
    out = tmp_path / "new" / "out"
    assert files(tmp_path / "new") == ["out"]
    names = ["image_feat.npy", "items.csv", "shop.inter", "text_feat.npy", "users.csv"]
    assert files(out) == ["dataset.json", *names]
    head, first, *_ = (out / "shop.inter").read_text().splitlines()
    assert (head, first) == ("userID\titemID\tx_label\trating", "0\t0\t0\t1.0")
    assert (ids(out / "users.csv"), ids(out / "items.csv")) == (USERS, ITEMS)
    assert read_ids(out, "items", 3)["title"].tolist() == ["X", 'Y "y"', ""]
    about = json.loads((out / "dataset.json").read_text())
    assert about["counts"] == {"users": 2, "items": 3, "interactions": 4, "labels": [2, 1, 1]}
    assert about["seed"] == 3
    data = MultimodalDataset(out)[0]
    assert data["item"].image_mask.tolist() == [False, True, True]
    assert data["item"].x_image[2].tolist() == [2.0] * 5


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_write_then_read(tmp_path, data):
    num_users, num_items = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    cells = st.tuples(st.integers(0, num_users - 1), st.integers(0, num_items - 1))
    pairs = data.draw(st.lists(cells, min_size=3, max_size=20))
    pairs = list(dict.fromkeys([*pairs, *((u, 0) for u in range(num_users))]))
    if len(pairs) < 3:
        return
    label = [0, 1, 2, *(data.draw(st.integers(0, 2)) for _ in pairs[3:])]
    table = pd.DataFrame(pairs, columns=["userID", "itemID"]).assign(x_label=label)
    name = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
    users = data.draw(st.lists(name, min_size=num_users, max_size=num_users))
    items = data.draw(st.lists(name, min_size=num_items, max_size=num_items))
    finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
    x = data.draw(arrays(np.float32, (num_items, 3), elements=finite))
    out = tmp_path / "out"
    write_dataset(out, "d", table, users=users, items=items, features={"v": x}, overwrite=True)
    graph = MultimodalDataset(out)[0]
    store = graph[EDGE]
    for split, key in enumerate(["edge_index", "val_edge_label_index", "test_edge_label_index"]):
        expected = sorted(pair for pair, value in zip(pairs, label) if value == split)
        assert list(zip(*store[key].tolist())) == expected
    assert np.array_equal(graph["item"].x_v.numpy(), x)
    assert graph["item"].v_mask.tolist() == x.any(axis=1).tolist()
    assert (graph["user"].num_nodes, graph["item"].num_nodes) == (num_users, num_items)
    assert (ids(out / "users.csv"), ids(out / "items.csv")) == (users, items)


def test_features_in_any_order(tmp_path):
    with whole_folder(tmp_path / "out") as folder:
        x = create_features(features_path(folder, "text"), (3, 4))
        x[2] = 5
        fill_folder(folder, "shop", TABLE, users=USERS, items=ITEMS)
    data = MultimodalDataset(tmp_path / "out")[0]
    assert data["item"].x_text.tolist() == [[0.0] * 4, [0.0] * 4, [5.0] * 4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"interactions": TABLE.drop(columns="x_label")}, r"need a column 'x_label'"),
        ({"interactions": TABLE.astype(float)}, r"'userID' must hold integers \(got float64\)"),
        ({"users": ["a"]}, r"'userID' must lie between 0 and 0 \(got 0 to 1\)"),
        ({"interactions": TABLE.assign(x_label=3)}, r"between 0 and 2 \(got 3 to 3\)"),
        ({"features": {"a": np.eye(2)}}, r"'a_feat.npy' needs 3 rows, one per item \(got 2\)"),
        (
            {"features": {"a": [np.eye(2), np.eye(1)]}},
            r"'a_feat.npy' .* one width \(got \(1, 1\)",
        ),
        ({"features": {"a": np.full((3, 1), np.inf)}}, r"'a_feat.npy' must get finite rows"),
        ({"features": {"a/b": np.eye(3)}}, r"got 'a/b'"),
        ({"features": {"x_a": np.eye(3)}}, r"got 'x_a'"),
    ],
)
def test_errors(tmp_path, change, message):
    arguments = {"interactions": TABLE, "users": USERS, "items": ITEMS, **change}
    with pytest.raises(ValueError, match=message):
        write_dataset(tmp_path / "out", "shop", **arguments)
    assert os.listdir(tmp_path) == []

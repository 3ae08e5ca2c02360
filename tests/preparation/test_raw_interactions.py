import numpy as np
import pytest

from crane_pyg.datasets import tables
from crane_pyg.preparation.raw_interactions import read_raw_interactions

COLUMNS = {"user": "u", "item": "i", "rating": "r", "timestamp": "t", "label": "x"}


def read(folder, *rows, roles=COLUMNS):
    path = folder / "log.csv"
    path.write_text("\n".join(["u,i,r,t,x", *rows]) + "\n")
    return read_raw_interactions(tables.open_table(path), {role: COLUMNS[role] for role in roles})


def test_a_log(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_BLOCK", 2)
    found = read(tmp_path, "b,7,1.5,10,train", "a,7,2,9,1", "b,07,3,8,Test", "b,7,4,7,validation")
    assert (found.users, found.items) == (["b", "a"], ["7", "07"])
    assert found.user.tolist() == [0, 1, 0, 0]
    assert found.item.tolist() == [0, 0, 1, 0]
    assert found.rating.tolist() == [1.5, 2, 3, 4]
    assert found.timestamp.tolist() == [10, 9, 8, 7]
    assert found.timestamp.dtype == np.int64
    assert found.label.tolist() == [0, 1, 2, 1]


def test_what_is_not_asked_for_is_not_read(tmp_path):
    found = read(tmp_path, "b,7,jam,jam,jam", roles=["user", "item"])
    assert found.rating is found.timestamp is found.label is None


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1970-01-02", 86_400),
        ("1970-01-01 00:00:01.5", 1.5),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:01:00Z", 60),
        ("1e3", 1000),
        ("0.25", 0.25),
    ],
)
def test_times(tmp_path, written, seconds):
    assert read(tmp_path, f"a,b,1,{written},0").timestamp.tolist() == [seconds]

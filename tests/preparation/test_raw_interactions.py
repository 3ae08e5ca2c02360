import numpy as np
import pandas as pd
import pytest

from crane_pyg.datasets import tables
from crane_pyg.preparation.raw_interactions import read_raw_interactions
from tests.preparation.shop import refused

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


@refused(r"log\.csv' has a header but no interactions \(got 0 rows\)")
def test_header_only(shop):
    shop.log(shop.log_lines()[0])


@refused(r"log\.csv', line 4, column 'user_id': must be an id \(got ''\)")
def test_an_empty_id(shop):
    shop.change(2, 0, "")


@refused(r"log\.csv', line 5, column 'item_id': must be an id \(got 'NaN'\)")
def test_an_id_that_is_nan(shop):
    shop.change(3, 1, "NaN")


@refused(r"log\.csv', line 7, column 'rating': must be a finite number \(got '2014-05-06'\)")
def test_a_date_for_a_rating(shop):
    shop.change(5, 2, "2014-05-06")


@refused(r"log\.csv', line 8, column 'rating': must be a finite number \(got 'inf'\)")
def test_an_infinite_rating(shop):
    shop.change(6, 2, "inf")


@refused(r"log\.csv', line 5, column 'timestamp': must be a finite number, .* \(got '2014-05-06'\)")
def test_a_date_among_numbers(shop):
    shop.change(3, 3, "2014-05-06")


@refused(r"log\.csv', line 3, column 'timestamp': must be .*an ISO date \(got '2014-13-06'\)")
def test_the_thirteenth_month(shop):
    for row in shop.rows:
        row[3] = "2014-05-06T10:00"
    shop.change(1, 3, "2014-13-06")


@refused(r"log\.csv', line 9, column 'split': must be 0, 1, 2, train, .* \(got 'trian'\)")
def test_a_label_misspelt(shop):
    lines = [line.strip() + b",train\n" for line in shop.log_lines()]
    lines[0], lines[8] = lines[0].replace(b",train", b",split"), lines[8].replace(b"rain", b"rian")
    shop.log(b"".join(lines))
    return ["--split", "given"]


@refused(r"log\.csv', row 3, column 'rating': must be a finite number \(got ''\)")
def test_a_null_in_parquet(shop):
    table = pd.read_csv(shop.path("log.csv"))
    table.loc[2, "rating"] = None
    table.to_parquet(shop.folder / "log.csv")

import csv
import gzip

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crane_pyg.datasets import tables
from crane_pyg.datasets.tables import open_table


def read(path, columns=("a", "b"), **options):
    blocks = list(open_table(path, **options).blocks(columns))
    return [row for block in blocks for row in zip(*block)]


@pytest.mark.parametrize("mark", [",", "\t", ";", "|"])
@pytest.mark.parametrize("packed", [False, True])
def test_delimiters_are_found(tmp_path, mark, packed):
    content = f'b{mark} a \n1{mark}"x{mark} ""y"""\n\n2{mark}é\n'.encode("utf-8-sig")
    path = tmp_path / "t"
    path.write_bytes(gzip.compress(content) if packed else content)
    assert read(path) == [(f'x{mark} "y"', "1"), ("é", "2")]


def test_a_delimiter_that_is_given(tmp_path):
    path = tmp_path / "t"
    path.write_text("a:b,c\n1:2,3\n")
    assert read(path, ["b,c"], delimiter=":") == [("2,3",)]


def test_parquet_is_text_too(tmp_path):
    table = pd.DataFrame(
        {
            "a": [1.0, None, 2.5],
            "b": pd.Categorical(["x", "y", None]),
            "c": pd.to_datetime(["2020-01-02 00:00:00", None, "2020-01-02 03:04:05"]),
        }
    )
    path = tmp_path / "t"
    table.to_parquet(path)
    assert read(path, ["c", "a"]) == [
        ("2020-01-02 00:00:00.000000", "1"),
        ("", ""),
        ("2020-01-02 03:04:05.000000", "2.5"),
    ]
    assert read(path, ["b"]) == [("x",), ("y",), ("",)]
    assert open_table(path).where(1) == f"'{path}', row 2"


def test_lines_are_those_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_BLOCK", 2)
    path = tmp_path / "t"
    path.write_text('a,b\n1,"two\nlines"\n\n2,x\n3,"\n\n"\n4,y\n')
    table = open_table(path)
    assert len(read(path)) == 4
    places = [table.where(row).rpartition(" ")[2] for row in range(4)]
    assert places == ["2", "5", "6", "9"]


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(text, text)), packed=st.booleans(), mark=st.sampled_from(",\t;|"))
def test_write_then_read(tmp_path, rows, packed, mark):
    path = tmp_path / "t"
    with (
        gzip.open(path, "wt", 1, "utf-8", newline="")
        if packed
        else path.open("w", encoding="utf-8", newline="") as file
    ):
        csv.writer(file, delimiter=mark).writerows([("a", "b"), *rows])
    assert read(path) == rows

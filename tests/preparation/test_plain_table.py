import gzip

import pytest

from crane_pyg.datasets.tables import read_columns
from crane_pyg.preparation.plain_table import ListTable, PlainTable


def test_every_mark_but_the_separator_belongs_to_a_field(tmp_path):
    path = tmp_path / "t"
    path.write_bytes(b'\xef\xbb\xbfa\tb\r\n"x, y\t\xc3\xa9"\r\n\r\n \tz')
    table = PlainTable(path, "\t")
    assert table.columns == ["a", "b"]
    assert read_columns(table, ["b", "a"]) == [['é"', "z"], ['"x, y', " "]]
    assert table.where(1) == f"'{path}', line 4"
    assert table.size() == "3 rows"  # a blank line counts, nobody read it


def test_more_rows_than_a_block_from_a_gzip_file(tmp_path):
    rows = [f"{n}::{n % 7}" for n in range(1234)]
    path = tmp_path / "t.dat"
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    table = PlainTable(path, "::", ["n", "rest"])
    assert read_columns(table, ["rest", "n"]) == [
        [str(n % 7) for n in range(1234)],
        [str(n) for n in range(1234)],
    ]
    assert table.size() == "1,234 rows"
    assert table.where(1233) == f"'{path}', line 1234"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(
        ValueError, match=r"must be a whole gzip file \(got: .*, after [\d,]+ lines"
    ):
        read_columns(table, ["n"])


@pytest.mark.parametrize("header", ["a\ta", "a\t", "\n"])
def test_columns_need_names(tmp_path, header):
    (tmp_path / "t").write_text(header)
    with pytest.raises(ValueError, match="line 1: must name each column, and each once"):
        PlainTable(tmp_path / "t", "\t")


def test_lists_are_pairs(tmp_path):
    path = tmp_path / "train.txt"
    lists = [["7", *map(str, range(400))], ["8"], [], ["9", "x", "y"], ["7", "5"]]
    path.write_text("\n".join(" ".join(row) for row in lists))
    table = ListTable(path)
    wanted = [(row[0], item) for row in lists if row for item in row[1:]]
    users, items = read_columns(table, ["user", "item"])
    assert list(zip(users, items, strict=True)) == wanted
    assert table.size() == "403 rows"
    assert [table.where(row)[-6:] for row in (0, 399, 400, 401, 402)] == [
        *("line 1", "line 1", "line 4", "line 4", "line 5")
    ]

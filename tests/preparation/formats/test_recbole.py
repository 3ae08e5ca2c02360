import pandas as pd
import pytest

from crane_pyg.preparation import Encoding, Rules, open_folder, recognise_format
from tests.preparation.formats.folders import (
    ITEMS,
    PAIRS,
    features_by_id,
    pairs_of,
    prepared,
    write,
)

HEAD = "user_id:token\titem_id:token\trating:float\ttimestamp:float"


def row(u, i):
    return f"u{u}\ti{i}\t{1 + (u + i) % 5}.0\t{1000 + 10 * u + i}.0"


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "toy.inter", HEAD, *(row(u, i) for u, i in PAIRS))
    write(
        tmp_path / "toy.item",
        "item_id:token\tmovie_title:token_seq\tyear:float\tbrand:token\tshop:token",
        *(f'i{i}\tword{i % 2} "quoted" film\t{1990 + i}\tmaker{i % 2}\tx' for i in range(ITEMS)),
    )
    return tmp_path


def test_atomic_files(folder):
    assert recognise_format(folder) == "recbole"
    report, table, shown = prepared(
        folder, rules=Rules(min_rating=2, split="last"), encoding=Encoding(text="tfidf-svd-2")
    )
    assert shown == [
        f"toy.inter, {len(PAIRS)} rows: user = user_id, item = item_id, rating = rating, "
        "timestamp = timestamp",
        "toy.item, 8 rows: item = item_id, text = movie_title + brand",
    ]
    assert report.num_rows == len(PAIRS)
    kept = [(u, i) for u, i in PAIRS if (u + i) % 5]
    assert pairs_of(table) == {(f"u{u}", f"i{i}") for u, i in kept}
    (last,) = table[(table["user"] == "u4") & (table["x_label"] == 2)]["item"]
    assert last == "i7"  # of the latest time
    text = features_by_id(folder, "text")
    assert text["i0"] == text["i2"] != text["i1"]
    items = pd.read_csv(folder / "out" / "items.csv", index_col="original_id")
    assert items.loc["i3", "title"] == 'word1 "quoted" film'


def test_a_split_in_files(folder):
    (folder / "toy.inter").unlink()
    for part, rows in (("train", PAIRS[:40]), ("valid", PAIRS[40:46]), ("test", PAIRS[46:])):
        write(folder / f"toy.{part}.inter", HEAD, *(row(u, i) for u, i in rows))
    _, table, shown = prepared(folder)
    assert shown[0].startswith(f"{folder.name}, train 40 rows, val 6 rows, test {len(PAIRS) - 46}")
    for label, rows in enumerate((PAIRS[:40], PAIRS[40:46], PAIRS[46:])):
        assert pairs_of(table, label) == {(f"u{u}", f"i{i}") for u, i in rows}
    write(folder / "toy.valid.inter", HEAD, row(*PAIRS[40]), "u1\ti1\tmany\t3.0")
    with pytest.raises(ValueError, match=r"toy\.valid\.inter', line 3, column 'rating': must be"):
        prepared(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user_id:token\titem_id\nu\ti\n", r"line 1: must be names with a type .* \(got 'item_id'"),
        (f"{HEAD}\nu\ti\t1.0\n", r"line 2: must have 4 fields between '\\t' \(got 3\)"),
        ("uid:token\tthing:token\nu\ti\n", "no column with a usual name for the item"),
        (f"{HEAD}\n", "has a header but no interactions"),
        ("", r"line 1: must name each column, and each once \(got \[''\]\)"),
        (f"{HEAD}\nu\ti\tnan\t1\n", "line 2, column 'rating': must be a finite number"),
        (f"{HEAD}\nu\t\t1\t1\n", "line 2, column 'item_id': must be an id"),
    ],
)
def test_what_is_wrong_is_named(folder, content, message):
    (folder / "toy.inter").write_text(content)
    with pytest.raises(ValueError, match=message):
        prepared(folder, "recbole")


def test_two_data_sets_are_refused(folder):
    write(folder / "other.inter", HEAD, row(0, 1))
    with pytest.raises(ValueError, match=r"must hold one data set \(got 'other' and \['toy.inter'"):
        open_folder(folder)

import gzip
import os

import pandas as pd
import pytest

from crane_pyg.preparation import Sources
from crane_pyg.preparation.sources import OpenedSources
from tests.preparation.shop import refused


@refused(r"log\.csv' must be a file \(got None\)")
def test_no_file(shop):
    (shop.folder / "log.csv").unlink()


@refused(r"pics' must be a file \(got a folder\)")
def test_a_folder_for_a_table(shop):
    return ["--interactions", shop.path("pics")]


@refused(r"log\.csv', line 1: must name the columns \(got ''\)")
def test_empty_file(shop):
    shop.log(b"")


@refused(
    r"log\.csv' has no column with a usual name for the user, .*--user-column \(got \['user 0'"
)
def test_no_header(shop):
    shop.log(b"".join(shop.log_lines()[1:]))


@refused(r"log\.csv' must be a whole gzip file \(got: .*, after \d+ lines\)")
def test_truncated_gzip(shop):
    shop.log(gzip.compress(b"".join(shop.log_lines()) * 9)[:-40])


@refused(r"log\.csv' must be a whole gzip file \(got: .*CRC")
def test_damaged_gzip(shop):
    packed = bytearray(gzip.compress(b"".join(shop.log_lines())))
    packed[-8] ^= 1
    shop.log(bytes(packed))


@refused(r"log\.csv', line 4: must be UTF-8 \(got the byte b'\\xe9'\)")
def test_latin_1(shop):
    lines = shop.log_lines()
    lines[3] = lines[3].replace(b"user", "usér".encode("latin-1"))
    shop.log(b"".join(lines))


@refused(r"log\.csv', line 1: must be UTF-8 \(got the byte b'\\xff'\)")
def test_utf_16(shop):
    shop.log(b"".join(shop.log_lines()).decode().encode("utf-16"))


@refused(r"log\.csv', line 3: must have 4 fields between commas, as the header has \(got 2\)")
def test_mixed_separators(shop):
    lines = shop.log_lines()
    lines[2] = b"user 0;item;4,1000\n"
    shop.log(b"".join(lines))


@refused(r"log\.csv', line 1: one delimiter must be given, .* \(got comma and semicolon\)")
def test_several_delimiters(shop):
    shop.log(shop.log_lines()[0].replace(b"rating,", b"rating;") + b"a,b;c\n")


@refused(r"log\.csv', line 5: must have 4 fields .* \(got 5\)")
def test_a_row_too_long(shop):
    lines = shop.log_lines()
    lines[4] = lines[4].replace(b"\n", b",9\n")
    shop.log(b"".join(lines))


@refused(r"log\.csv', line 37: must have 4 fields .* \(got 3\)")
def test_the_last_row_cut_off(shop):
    shop.log(b"".join(shop.log_lines()).rsplit(b",", 1)[0])


@refused(r"log\.csv', line 6: must be fields between commas, every quote closed \(got: ")
def test_a_quote_left_open(shop):
    lines = shop.log_lines()
    lines[5] = b'"user 0,x,3,1000\n'
    shop.log(b"".join(lines))


@refused(r"items\.csv', line 4: must be fields .* closed \(got: field larger than field limit")
def test_a_quote_left_open_in_a_long_file(shop):
    lines = ["item_id,title,image\n", "a,b,c\n", "d,e,f\n", '"g,h,i\n', *["j,k,l\n"] * 30_000]
    (shop.folder / "items.csv").write_text("".join(lines))


@refused(r"log\.csv' has no column with a usual name for the item, .*--item-column")
def test_a_column_missing(shop):
    shop.log(b"".join(shop.log_lines()).replace(b"item_id", b"thing"))


@refused(r"log\.csv' has no column 'jam' for --rating-column \(got \['user_id'")
def test_a_column_named_that_is_not_there(shop):
    return ["--rating-column", "jam"]


@refused(
    r"log\.csv': several columns may hold the user, .* --user-column \(got \['user_id', 'uid'\]"
)
def test_ambiguous_columns(shop):
    shop.log(b"".join(shop.log_lines()).replace(b"rating", b"uid"))


@refused(r"log\.csv', line 1: must name each column once \(got 'rating' twice\)")
def test_a_column_twice(shop):
    shop.log(b"".join(shop.log_lines()).replace(b"timestamp", b"rating"))


@refused(r"log\.csv' must be a whole parquet file")
def test_truncated_parquet(shop):
    pd.read_csv(shop.path("log.csv")).to_parquet(shop.folder / "log.csv")
    os.truncate(shop.folder / "log.csv", 900)


@refused(r"log\.csv', column 'rating': must hold text, numbers or times \(got list<")
def test_lists_in_parquet(shop):
    table = pd.read_csv(shop.path("log.csv"))
    table["rating"] = [[1.0]] * len(table)
    table.to_parquet(shop.folder / "log.csv")


@refused(r"Features must be called .* \(got 'x'\)")
def test_features_of_a_name_that_graphs_use(shop):
    return ["--features", shop.features()[1].replace("audio", "x")]


@refused(r"Ids need features of the same name \(got \['jam'\]\)")
def test_ids_without_features(shop):
    return ["--ids", "jam=" + shop.path("ids.txt")]


@refused(
    r"log\.csv', line 6, column 'item_id': must be an item of '.*items\.csv'; .*"
    r"\(got 'item 4, no\. 4'; 1 of 6 items are unknown\)"
)
def test_an_unknown_item(shop):
    shop.items.pop(4)
    shop.write()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "item = id, text = brand; not used: 'about', 'image' (see --text-columns)"),
        (["about"], "item = id, text = about"),
    ],
)
def test_columns_that_nobody_asked_for_are_named(tmp_path, given, told):
    (tmp_path / "log.csv").write_text("user,item\na,1\n")
    # A title is kept for people where it is no text for the model.
    (tmp_path / "items.csv").write_text("id,brand,about,image,movie title\n1,x,y,z,t\n")
    shown = []
    OpenedSources(
        Sources(tmp_path / "log.csv", tmp_path / "items.csv", text_columns=given),
        labelled=False,
        show=shown.append,
    )
    assert shown[1] == f"items.csv, 2 lines: {told}"

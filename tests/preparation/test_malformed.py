"""Whatever is wrong ends in one line that says where, and leaves everything as it was."""

import errno
import gzip
import os
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from crane_pyg.cli import main
from crane_pyg.datasets import MultimodalDataset

ITEMS = [f"item {i}, no. {i}" for i in range(6)]
FEATURES = np.arange(1.0, 13.0).reshape(6, 2)


class Shop:
    """Six users and six items, everyone with everything, in the folder of a test."""

    def __init__(self, folder):
        self.folder = folder
        self.rows = [
            [f"user {u}", item, f"{1 + (u + i) % 5}", str(1000 + 10 * u + i)]
            for u in range(6)
            for i, item in enumerate(ITEMS)
        ]
        self.items = [[item, f"a text of word{i}", f"{i}.png"] for i, item in enumerate(ITEMS)]
        (folder / "pics").mkdir()
        for i in range(6):
            Image.new("RGB", (8, 8), (40 * i, 0, 99)).save(folder / "pics" / f"{i}.png")
        self.write()

    def write(self):
        head = ["user_id", "item_id", "rating", "timestamp"]
        pd.DataFrame(self.rows, columns=head).to_csv(self.folder / "log.csv", index=False)
        head = ["item_id", "title", "image"]
        pd.DataFrame(self.items, columns=head).to_csv(self.folder / "items.csv", index=False)

    def path(self, name):
        return str(self.folder / name)

    def log(self, content):
        (self.folder / "log.csv").write_bytes(content)

    def log_lines(self):
        return (self.folder / "log.csv").read_bytes().splitlines(keepends=True)

    def change(self, row, column, value):
        self.rows[row][column] = value
        self.write()

    def change_item(self, row, column, value):
        self.items[row][column] = value
        self.write()

    def features(self, values=FEATURES, name="x.npy"):
        np.save(self.folder / name, values)
        return ["--features", f"audio={self.path(name)}"]

    def run(self, *options):
        main(
            [
                *("prepare", "--interactions", self.path("log.csv")),
                *("--items", self.path("items.csv"), "--text-columns", ""),
                *("--cache", self.path("cache"), "--out", self.path("out"), *options),
            ]
        )

    def tree(self):
        found = sorted(path for path in self.folder.rglob("*") if "cache" not in path.parts)
        return {path: path.read_bytes() if path.is_file() else None for path in found}


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def test_the_shop_itself_is_fine(shop):
    shop.run(*shop.features(), "--images", shop.path("pics"))
    dataset = MultimodalDataset(shop.folder / "out")
    assert dataset.report.num_interactions == 36
    assert dataset[0]["item"].x_audio.tolist() == FEATURES.tolist()


CASES = {}


def case(message):
    def add(function):
        CASES[function.__name__] = (function, message)
        return function

    return add


@case(r"log\.csv' must be a file \(got None\)")
def no_file(shop):
    (shop.folder / "log.csv").unlink()


@case(r"pics' must be a file \(got a folder\)")
def a_folder_for_a_table(shop):
    return ["--interactions", shop.path("pics")]


@case(r"log\.csv', line 1: must name the columns \(got ''\)")
def empty_file(shop):
    shop.log(b"")


@case(r"log\.csv' has a header but no interactions \(got 0 rows\)")
def header_only(shop):
    shop.log(shop.log_lines()[0])


@case(r"log\.csv' has no column with a usual name for the user, .*--user-column \(got \['user 0'")
def no_header(shop):
    shop.log(b"".join(shop.log_lines()[1:]))


@case(r"items\.csv' has a header but no items \(got 0 rows\)")
def items_header_only(shop):
    shop.items = []
    shop.write()


@case(r"log\.csv' must be a whole gzip file \(got: .*, after \d+ lines\)")
def truncated_gzip(shop):
    shop.log(gzip.compress(b"".join(shop.log_lines()) * 9)[:-40])


@case(r"log\.csv' must be a whole gzip file \(got: .*CRC")
def damaged_gzip(shop):
    packed = bytearray(gzip.compress(b"".join(shop.log_lines())))
    packed[-8] ^= 1
    shop.log(bytes(packed))


@case(r"log\.csv', line 4: must be UTF-8 \(got the byte b'\\xe9'\)")
def latin_1(shop):
    lines = shop.log_lines()
    lines[3] = lines[3].replace(b"user", "usér".encode("latin-1"))
    shop.log(b"".join(lines))


@case(r"log\.csv', line 1: must be UTF-8 \(got the byte b'\\xff'\)")
def utf_16(shop):
    shop.log(b"".join(shop.log_lines()).decode().encode("utf-16"))


@case(r"log\.csv', line 3: must have 4 fields between commas, as the header has \(got 2\)")
def mixed_separators(shop):
    lines = shop.log_lines()
    lines[2] = b"user 0;item;4,1000\n"
    shop.log(b"".join(lines))


@case(r"log\.csv', line 1: one delimiter must be given, .* \(got comma and semicolon\)")
def several_delimiters(shop):
    shop.log(shop.log_lines()[0].replace(b"rating,", b"rating;") + b"a,b;c\n")


@case(r"log\.csv', line 5: must have 4 fields .* \(got 5\)")
def a_row_too_long(shop):
    lines = shop.log_lines()
    lines[4] = lines[4].replace(b"\n", b",9\n")
    shop.log(b"".join(lines))


@case(r"log\.csv', line 37: must have 4 fields .* \(got 3\)")
def the_last_row_cut_off(shop):
    shop.log(b"".join(shop.log_lines()).rsplit(b",", 1)[0])


@case(r"log\.csv', line 6: must be fields between commas, every quote closed \(got: ")
def a_quote_left_open(shop):
    lines = shop.log_lines()
    lines[5] = b'"user 0,x,3,1000\n'
    shop.log(b"".join(lines))


@case(r"items\.csv', line 4: must be fields .* closed \(got: field larger than field limit")
def a_quote_left_open_in_a_long_file(shop):
    lines = ["item_id,title,image\n", "a,b,c\n", "d,e,f\n", '"g,h,i\n', *["j,k,l\n"] * 30_000]
    (shop.folder / "items.csv").write_text("".join(lines))


@case(r"log\.csv' has no column with a usual name for the item, .*--item-column")
def a_column_missing(shop):
    shop.log(b"".join(shop.log_lines()).replace(b"item_id", b"thing"))


@case(r"log\.csv' has no column 'jam' for --rating-column \(got \['user_id'")
def a_column_named_that_is_not_there(shop):
    return ["--rating-column", "jam"]


@case(r"log\.csv': several columns may hold the user, .* --user-column \(got \['user_id', 'uid'\]")
def ambiguous_columns(shop):
    shop.log(b"".join(shop.log_lines()).replace(b"rating", b"uid"))


@case(r"log\.csv', line 1: must name each column once \(got 'rating' twice\)")
def a_column_twice(shop):
    shop.log(b"".join(shop.log_lines()).replace(b"timestamp", b"rating"))


@case(r"log\.csv', line 4, column 'user_id': must be an id \(got ''\)")
def an_empty_id(shop):
    shop.change(2, 0, "")


@case(r"log\.csv', line 5, column 'item_id': must be an id \(got 'NaN'\)")
def an_id_that_is_nan(shop):
    shop.change(3, 1, "NaN")


@case(r"log\.csv', line 7, column 'rating': must be a finite number \(got '2014-05-06'\)")
def a_date_for_a_rating(shop):
    shop.change(5, 2, "2014-05-06")


@case(r"log\.csv', line 8, column 'rating': must be a finite number \(got 'inf'\)")
def an_infinite_rating(shop):
    shop.change(6, 2, "inf")


@case(r"log\.csv', line 5, column 'timestamp': must be a finite number, .* \(got '2014-05-06'\)")
def a_date_among_numbers(shop):
    shop.change(3, 3, "2014-05-06")


@case(r"log\.csv', line 3, column 'timestamp': must be .*an ISO date \(got '2014-13-06'\)")
def the_thirteenth_month(shop):
    for row in shop.rows:
        row[3] = "2014-05-06T10:00"
    shop.change(1, 3, "2014-13-06")


@case(r"log\.csv', line 9, column 'split': must be 0, 1, 2, train, .* \(got 'trian'\)")
def a_label_misspelt(shop):
    lines = [line.strip() + b",train\n" for line in shop.log_lines()]
    lines[0], lines[8] = lines[0].replace(b",train", b",split"), lines[8].replace(b"rain", b"rian")
    shop.log(b"".join(lines))
    return ["--split", "given"]


@case(r"items\.csv', line 6, column 'item_id': must not repeat .*line 2\)")
def an_item_twice(shop):
    shop.change_item(4, 0, ITEMS[0])


@case(r"items\.csv', line 4, column 'item_id': must be an id \(got ' '\)")
def an_item_without_an_id(shop):
    shop.change_item(2, 0, " ")


@case(
    r"log\.csv', line 6, column 'item_id': must be an item of '.*items\.csv'; .*"
    r"\(got 'item 4, no\. 4'; 1 of 6 items are unknown\)"
)
def an_unknown_item(shop):
    shop.items.pop(4)
    shop.write()


@case(r"x\.npy' must hold real numbers \(got dtype <U2\)")
def features_of_text(shop):
    return shop.features(np.array([["ab"]] * 6))


@case(r"x\.npy' must hold real numbers \(got dtype complex128\)")
def complex_features(shop):
    return shop.features(FEATURES * 1j)


@case(r"x\.npy' must be a matrix with a row per item \(got \(6,\)\)")
def features_without_a_width(shop):
    return shop.features(FEATURES[:, 0])


@case(r"x\.npy' must have a row for each of the 6 ids of the table of items \(got 5\)")
def features_of_other_length(shop):
    return shop.features(FEATURES[:5])


@case(r"x\.npy', row 4, column 1: must be finite \(got nan\)")
def features_with_nan(shop):
    values = FEATURES.copy()
    values[4, 1] = np.nan
    return shop.features(values)


@case(r"x\.npy', row 0, column 0: must be finite \(got 1e\+300\)")
def features_too_large(shop):
    return shop.features(np.full((6, 2), 1e300))


@case(r"x\.npy' must be an '\.npy' file of numbers \(got: .*Python objects")
def features_that_hold_objects(shop):
    return shop.features(FEATURES.astype(object))


@case(r"x\.npy' must be an '\.npy' file of numbers")
def features_cut_off(shop):
    options = shop.features()
    os.truncate(shop.folder / "x.npy", 150)
    return options


class Code:
    def __reduce__(self):
        return os.mkdir, ("never",)


@case(r"x\.pt' must hold tensors and no code \(got: ")
def a_tensor_file_that_holds_code(shop):
    torch.save(Code(), shop.folder / "x.pt")
    return ["--features", f"audio={shop.path('x.pt')}"]


@case(r"x\.pt' must hold tensors and no code \(got: ")
def a_pickle_that_holds_code(shop):
    (shop.folder / "x.pt").write_bytes(pickle.dumps(Code()))
    return ["--features", f"audio={shop.path('x.pt')}"]


@case(r"x\.pt' must hold tensors and no code \(got: ")
def a_tensor_file_cut_off(shop):
    torch.save(torch.ones(6, 2), shop.folder / "x.pt")
    os.truncate(shop.folder / "x.pt", 300)
    return ["--features", f"audio={shop.path('x.pt')}"]


@case(r"Features must be called .* \(got 'x'\)")
def features_of_a_name_that_graphs_use(shop):
    return ["--features", shop.features()[1].replace("audio", "x")]


@case(r"Ids need features of the same name \(got \['jam'\]\)")
def ids_without_features(shop):
    return ["--ids", "jam=" + shop.path("ids.txt")]


@case(r"Two sources for one modality.* \(got 'image'\)")
def features_of_the_name_of_another(shop):
    features = shop.features()[1].replace("audio", "image")
    return ["--features", features, "--images", shop.path("pics")]


@case(r"x\.npz' must hold 'ids' and 'features' \(got \['features'\]\)")
def an_archive_without_ids(shop):
    np.savez(shop.folder / "x.npz", features=FEATURES)
    return ["--features", f"audio={shop.path('x.npz')}"]


@case(r"x\.npz' must be an '\.npz' file of numbers")
def an_archive_cut_off(shop):
    np.savez(shop.folder / "x.npz", features=FEATURES, ids=np.array(ITEMS))
    os.truncate(shop.folder / "x.npz", 300)
    return ["--features", f"audio={shop.path('x.npz')}"]


@case(r"x\.npz' must be an '\.npz' file of numbers \(got: .*allow_pickle=False\)")
def an_archive_with_objects_for_ids(shop):
    np.savez(shop.folder / "x.npz", features=FEATURES, ids=np.array(ITEMS, dtype=object))
    return ["--features", f"audio={shop.path('x.npz')}"]


@case(r"x\.npz' must name each item once \(got 'item 1, no\. 1' for rows 0 and 1\)")
def an_archive_with_an_id_twice(shop):
    np.savez(shop.folder / "x.npz", features=FEATURES, ids=np.array([ITEMS[1], *ITEMS[1:]]))
    return ["--features", f"audio={shop.path('x.npz')}"]


@case(r"ids\.txt' must name items of the interactions \(got none of them, .*'item_0' where")
def ids_of_something_else(shop):
    (shop.folder / "ids.txt").write_text("\n".join(f"item_{i}" for i in range(6)))
    return [*shop.features(), "--ids", f"audio={shop.path('ids.txt')}"]


@case(r"ids\.txt' \(got 6\)")
def ids_too_few(shop):
    (shop.folder / "ids.txt").write_text("\n".join(ITEMS[:4]))
    return [*shop.features(), "--ids", f"audio={shop.path('ids.txt')}"]


@case(r"x\.jam' must end in one of \.npy, \.npz, \.pt, \.parquet \(got '\.jam'\)")
def features_of_no_known_kind(shop):
    (shop.folder / "x.jam").write_text("")
    return ["--features", f"audio={shop.path('x.jam')}"]


@case(r"x\.parquet' must have rows of one length")
def ragged_parquet(shop):
    rows = {"item_id": ITEMS, "x": [[1.0]] * 5 + [[1.0, 2.0]]}
    pd.DataFrame(rows).to_parquet(shop.folder / "x.parquet")
    return ["--features", f"audio={shop.path('x.parquet')}"]


@case(r"log\.csv' must be a whole parquet file")
def truncated_parquet(shop):
    pd.read_csv(shop.path("log.csv")).to_parquet(shop.folder / "log.csv")
    os.truncate(shop.folder / "log.csv", 900)


@case(r"log\.csv', row 3, column 'rating': must be a finite number \(got ''\)")
def a_null_in_parquet(shop):
    table = pd.read_csv(shop.path("log.csv"))
    table.loc[2, "rating"] = None
    table.to_parquet(shop.folder / "log.csv")


@case(r"log\.csv', column 'rating': must hold text, numbers or times \(got list<")
def lists_in_parquet(shop):
    table = pd.read_csv(shop.path("log.csv"))
    table["rating"] = [[1.0]] * len(table)
    table.to_parquet(shop.folder / "log.csv")


@case(r"items\.csv', line 4, column 'image': must stay inside .* \(got '\.\./log\.csv'\)")
def a_path_that_climbs_out(shop):
    shop.change_item(2, 2, "../log.csv")
    return ["--images", shop.path("pics")]


@case(r"items\.csv', line 2, column 'image': must stay inside .* \(got '/")
def an_absolute_path(shop):
    shop.change_item(0, 2, shop.path("pics/0.png"))
    return ["--images", shop.path("pics")]


@case(r"items\.csv', line 3, column 'image': must stay inside .* \(got 'link\.png'\)")
def a_link_that_climbs_out(shop):
    (shop.folder / "pics" / "link.png").symlink_to(shop.folder / "log.csv")
    shop.change_item(1, 2, "link.png")
    return ["--images", shop.path("pics")]


@case(r"items\.csv', line 5, column 'image': must lead to a file \(got 'more'\)")
def a_folder_for_a_picture(shop):
    (shop.folder / "pics" / "more").mkdir()
    shop.change_item(3, 2, "more")
    return ["--images", shop.path("pics")]


@case(r"The images must lie in a folder \(got '.*log\.csv'\)")
def a_file_for_the_folder_of_pictures(shop):
    return ["--images", shop.path("log.csv")]


@case(r"pics/3\.png' must be a picture, which --strict demands \(got UnidentifiedImageError")
def a_broken_picture_under_strict(shop):
    (shop.folder / "pics" / "3.png").write_bytes(b"no picture")
    return ["--images", shop.path("pics"), "--strict"]


@case(r"There is no picture that can be read \(got for example UnidentifiedImageError")
def nothing_but_broken_pictures(shop):
    for path in (shop.folder / "pics").iterdir():
        path.write_bytes(b"no picture")
    return ["--images", shop.path("pics")]


@case(r"There is no text to encode \(got 6 without a word\)")
def no_text_anywhere(shop):
    for row in shop.items:
        row[1] = ""
    shop.write()
    return ["--text-columns", "title"]


@case(r"out' must be a folder, or not there yet \(got a file\)")
def a_file_at_out(shop):
    (shop.folder / "out").write_text("mine")


@case(r"out' must be empty .* \(got 1 entries that were not written by .* 'mine\.txt'\)")
def somebody_elses_folder_at_out(shop):
    (shop.folder / "out").mkdir()
    (shop.folder / "out" / "mine.txt").write_text("mine")
    return ["--overwrite"]


@case(r"log\.csv': no interactions are left \(got 36, .*36 of users or items with too few\)")
def all_filtered_away(shop):
    return ["--k-core", "7"]


@case(r"log\.csv': no interactions are left \(got 36, .*36 rated below 9")
def all_rated_too_low(shop):
    return ["--min-rating", "9"]


@case(r"log\.csv': the train split is empty.* \(got 36 interactions with the split 'time'\)")
def no_time_for_training(shop):
    for row in shop.rows:
        row[3] = "7"
    shop.write()
    return ["--split", "time"]


@case(r"log\.csv' needs a column for the timestamp, for the split 'last'")
def no_column_for_the_split(shop):
    shop.log(b"".join(line.rsplit(b",", 1)[0] + b"\n" for line in shop.log_lines()))
    return ["--split", "last"]


@case(r"The ratio must be three positive numbers \(got \[0\.9, 0\.1\]\)")
def two_shares(shop):
    return ["--ratio", "0.9,0.1"]


@case(r"text encoder must be .*without that package")
def a_text_encoder_that_is_not_here(shop):
    return ["--text-columns", "title", "--text-encoder", "all-MiniLM-L6-v2"]


@case(r"image encoder 'timm/jam' needs the package timm \(got none\)")
def an_image_encoder_that_is_not_here(shop):
    return ["--images", shop.path("pics"), "--image-encoder", "timm/jam"]


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused(shop, name, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.chdir(shop.folder)
    spoil, message = CASES[name]
    options = spoil(shop) or []
    before = shop.tree()
    with pytest.raises(SystemExit) as exit_:
        shop.run(*options)
    assert exit_.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert re.match("error: .*" + message, last), last
    assert shop.tree() == before


def full_disk(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "function", ["os.fsync", "pandas.DataFrame.to_csv", "pathlib.Path.write_text", "os.rename"]
)
def test_a_full_disk_leaves_nothing(shop, monkeypatch, capsys, function, overwrite):
    features = shop.features()
    if overwrite:
        shop.run(*features)
    before = shop.tree()
    monkeypatch.setattr(function, full_disk)
    with pytest.raises(SystemExit):
        shop.run(*features, *(["--overwrite"] if overwrite else []))
    assert "No space left on device" in capsys.readouterr().err
    monkeypatch.undo()
    assert shop.tree() == before


def test_an_interruption_leaves_nothing(shop, monkeypatch):
    before = shop.tree()

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        shop.run()
    monkeypatch.undo()
    assert shop.tree() == before

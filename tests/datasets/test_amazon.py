"""Amazon 2014: files that the tests write in exactly the formats of the original ones."""

import errno
import gzip
import hashlib
import itertools
import json
import os

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.amazon_raw import write_image_features, write_lines
from crane_pyg.datasets import AmazonMultimodal, MultimodalDataset, convert_amazon, load_dataset
from crane_pyg.datasets.amazon import convert, download, image_features, records
from crane_pyg.datasets.amazon.categories import find_category
from crane_pyg.schema import ITEM_TO_USER, USER_TO_ITEM

REVIEWS, META, IMAGES = find_category("baby").files
RECORD = image_features.RECORD


def asin(item):
    return f"B{item:09d}"


def review(user, item, time=0, rating=5.0):
    return {
        "reviewerID": f"A{user:03d}",
        "asin": asin(item),
        "reviewText": "Lovely, 'soft' and \"warm\"; ünïcode.\n",
        "overall": rating,
        "unixReviewTime": time,
    }


def about(item, **more):
    return {
        "asin": asin(item),
        "title": f'Blanket &amp; no {item}\'s "best"',
        "brand": "Cosy",
        "categories": [["Baby", "Bedding"], ["Baby", "Gifts"]],
        "description": f"warm wool number{item}",
        "price": 6.99,
        "related": {"also_bought": [asin(7)]},
        **more,
    }


def look(item):
    return np.arange(4096, dtype=np.float32) + item


PAIRS = [(user, item) for user in range(5) for item in range(user, user + 4)]


def write(root, pairs=PAIRS, meta=range(8), images=range(8)):
    raw = root / "raw"
    raw.mkdir(exist_ok=True, parents=True)
    write_lines(raw / REVIEWS, [review(*pair, time=k) for k, pair in enumerate(pairs)])
    write_lines(raw / META, map(about, meta), literal=True)
    write_image_features(
        raw / IMAGES, [([asin(item) for item in images], np.stack([look(i) for i in images]))]
    )
    return root


def splits(dataset):
    store = dataset[0][USER_TO_ITEM]
    parts = (store.edge_index, store.val_edge_label_index, store.test_edge_label_index)
    return [sorted(zip(*part.tolist())) for part in parts]


def left_behind(root):
    return [path for path in root.rglob("*") if "processed" in path.parts and path.is_file()]


def test_original_files(tmp_path):
    dataset = AmazonMultimodal(write(tmp_path), "Baby")
    assert repr(dataset) == (
        "AmazonMultimodal('baby', num_users=5, num_items=8, num_interactions=20)"
    )
    assert sorted(itertools.chain(*splits(dataset))) == PAIRS
    assert [len(part) for part in splits(dataset)] == [16, 2, 2]
    item = dataset[0]["item"]
    assert torch.equal(item.x_image, torch.from_numpy(np.stack([look(i) for i in range(8)])))
    assert item.x_text.shape[0] == 8
    assert item.text_mask.all()
    users = pd.read_csv(tmp_path / "processed/baby/users.csv")
    items = pd.read_csv(tmp_path / "processed/baby/items.csv")
    assert users["original_id"].tolist() == [f"A{user:03d}" for user in range(5)]
    assert items["original_id"].tolist() == [asin(i) for i in range(8)]
    (note,) = dataset.report.notes
    assert note.startswith("warning: not the whole of Baby: 5 / 8 / 20 users / items")
    assert note in str(dataset.report).splitlines()


def test_splits(tmp_path):
    write(tmp_path)
    by_time = splits(AmazonMultimodal(tmp_path, "baby", split="time"))
    assert [sorted(PAIRS[:16]), PAIRS[16:18], PAIRS[18:]] == by_time
    one, two = (splits(AmazonMultimodal(tmp_path, "baby", split="random", seed=s)) for s in (0, 1))
    assert one == splits(AmazonMultimodal(tmp_path, "baby"))
    assert one != two
    convert_amazon(tmp_path / "raw", "baby", tmp_path / "out", split="time")
    assert splits(MultimodalDataset(tmp_path / "out")) == by_time
    with pytest.raises(ValueError, match="`split` must be .*got 'late'"):
        convert_amazon(tmp_path / "raw", "baby", tmp_path / "new", split="late")


def test_rare_users_are_dropped_and_the_counts_are_still_those_of_the_files(tmp_path):
    dataset = AmazonMultimodal(write(tmp_path, [*PAIRS, (9, 0)]), "baby", min_user_interactions=4)
    assert dataset.report.num_users == 5
    assert "6 / 8 / 21 users" in dataset.report.notes[-1]


def test_the_counts_of_table_2_pass_without_a_word(tmp_path, monkeypatch):
    category = find_category("baby")._replace(sizes=(5, 8, 20))
    monkeypatch.setattr("crane_pyg.datasets.amazon.dataset.find_category", lambda name: category)
    assert AmazonMultimodal(write(tmp_path), "baby").report.notes == ()


def test_items_without_text_or_image_are_masked_and_counted(tmp_path):
    write(tmp_path, meta=[0, 1, 2, 3, 4, 6, 7, 99], images=[0, 1, 3, 4, 5, 6, 7, 99])
    dataset = AmazonMultimodal(tmp_path, "baby")
    item = dataset[0]["item"]
    assert (~item.image_mask).nonzero().flatten().tolist() == [2]
    assert (~item.text_mask).nonzero().flatten().tolist() == [5]
    assert not item.x_image[2].any()
    assert dataset.report.num_missing == {"image": 1, "text": 1}


def test_repeats_are_merged_and_counted(tmp_path):
    write(tmp_path, [*PAIRS, PAIRS[0], PAIRS[0]], meta=[*range(8), 3], images=[*range(8), 4, 4])
    dataset = AmazonMultimodal(tmp_path, "baby")
    assert dataset.report.num_interactions == 20
    assert dataset.report.num_duplicates == 2
    assert dataset.report.notes[:2] == (
        "records of meta that repeat another: 1",
        "records of image_features that repeat another: 2",
    )
    table = pd.read_csv(tmp_path / "processed/baby/baby.inter", sep="\t")
    assert table["timestamp"][0] == 0  # of the earliest


def test_the_order_of_lines_is_no_matter(tmp_path):
    first = AmazonMultimodal(write(tmp_path / "a"), "baby")
    write(tmp_path / "b", PAIRS[::-1], meta=range(7, -1, -1), images=range(7, -1, -1))
    second = AmazonMultimodal(tmp_path / "b", "baby")
    assert splits(first) == splits(second)
    torch.testing.assert_close(first[0]["item"].x_image, second[0]["item"].x_image)
    torch.testing.assert_close(first[0]["item"].x_text, second[0]["item"].x_text)


def test_metadata_is_json_or_literals_and_says_what_it_says(tmp_path):
    path = tmp_path / META
    literal, other = about(1, title=None, categories="Baby"), about(2, brand=3, description=[" "])
    lines = [repr(literal), "", json.dumps(other), repr(about(9)), "{'asin': 'B000000010', (", ""]
    path.write_bytes(gzip.compress("\r\n".join(lines).encode()))
    texts = convert.read_texts(path, [asin(1), asin(2), asin(3)])
    assert texts == (
        ["Cosy Baby warm wool number1", 'Blanket & no 2\'s "best" 3 Baby Bedding Gifts', ""],
        0,
    )


def test_lines_may_be_longer_than_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "_BLOCK", 7)
    monkeypatch.setattr(image_features, "_BLOCK", 3)
    assert AmazonMultimodal(write(tmp_path), "baby").report.num_interactions == 20


def test_conversion_happens_once_and_again_when_files_change(tmp_path, monkeypatch):
    AmazonMultimodal(write(tmp_path), "baby")
    (tmp_path / "processed" / "baby" / ".note").touch()
    monkeypatch.setattr(convert, "read_reviews", None)
    assert AmazonMultimodal(tmp_path, "baby").report.num_items == 8
    for name in (META, IMAGES):
        (tmp_path / "raw" / name).unlink()
    assert AmazonMultimodal(tmp_path, "baby").report.num_items == 8
    (tmp_path / "processed" / "baby" / ".note").unlink()
    monkeypatch.undo()
    write(tmp_path, PAIRS[:16], meta=range(7), images=range(7))
    assert AmazonMultimodal(tmp_path, "baby").report.num_items == 7


def test_another_encoder_or_force_converts_again(tmp_path):
    AmazonMultimodal(write(tmp_path), "baby")
    file = tmp_path / "processed/baby/dataset.json"
    before = file.stat().st_mtime_ns
    dataset = AmazonMultimodal(tmp_path, "baby", text_encoder="tfidf-svd-3")
    assert dataset[0]["item"].x_text.size(1) == 3
    assert json.loads(file.read_text())["encoders"]["text"] == "tfidf-svd-3"
    middle = file.stat().st_mtime_ns
    assert AmazonMultimodal(tmp_path, "baby")[0]["item"].x_text.size(1) == 3
    assert before < middle == file.stat().st_mtime_ns
    AmazonMultimodal(tmp_path, "baby", force_reload=True)
    assert middle < file.stat().st_mtime_ns


def test_preprocessed_files_come_first(tmp_path):
    raw = write(tmp_path) / "raw"
    (raw / "baby.inter").write_text("userID\titemID\tx_label\n0\t0\t0\n0\t1\t1\n1\t2\t2\n")
    np.save(raw / "text_feat.npy", np.ones((3, 2), dtype=np.float32))
    np.save(raw / "image_feat.npy", np.eye(3, dtype=np.float32))
    dataset = AmazonMultimodal(tmp_path, "Baby")
    assert splits(dataset) == [[(0, 0)], [(0, 1)], [(1, 2)]]
    assert sorted(dataset.raw_file_names) == ["baby.inter", "image_feat.npy", "text_feat.npy"]
    assert dataset[0]["item"].x_text.shape == (3, 2)
    assert "2 / 3 / 3 users" in dataset.report.notes[0]
    assert AmazonMultimodal(tmp_path, "Baby", min_user_interactions=1).report.num_users == 2
    assert not (tmp_path / "processed").exists()


def test_any_category(tmp_path, monkeypatch):
    raw = write(tmp_path) / "raw"
    for path in [*raw.iterdir()]:
        path.rename(raw / path.name.replace("Baby", "Office_Products"))
    dataset = load_dataset(tmp_path)
    assert (dataset.name, dataset.report.notes) == ("office_products", ())
    with pytest.raises(ValueError, match="letters, digits and '_'.*got '../x'"):
        AmazonMultimodal(tmp_path, "../x")


def test_a_name_for_every_source(tmp_path, monkeypatch):
    write(tmp_path / "data" / "amazon-baby")
    monkeypatch.chdir(tmp_path)
    assert load_dataset("data/amazon-baby").report.num_items == 8
    assert load_dataset("amazon:Baby", split="time").split == "time"
    write(tmp_path / "data" / "amazon-baby")
    (tmp_path / "data/amazon-baby/raw/reviews_Beauty_5.json.gz").touch()
    with pytest.raises(ValueError, match=r"must hold one .*got \['Baby', 'Beauty'\]"):
        load_dataset("data/amazon-baby")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    pairs=st.sets(st.tuples(st.integers(0, 30), st.integers(0, 12)), min_size=10, max_size=60),
    data=st.data(),
)
def test_any_originals_are_read_back(tmp_path_factory, pairs, data):
    root = tmp_path_factory.mktemp("any")
    items = sorted({item for _, item in pairs})
    users = sorted({user for user, _ in pairs})
    seen = data.draw(st.lists(st.sampled_from(items), min_size=1, unique=True))
    told = data.draw(st.lists(st.sampled_from(items), min_size=1, unique=True))
    write(root, data.draw(st.permutations(sorted(pairs))), meta=told, images=[*seen, 55])
    graph = (dataset := AmazonMultimodal(root, "baby"))[0]
    found = sorted((users[user], items[item]) for part in splits(dataset) for user, item in part)
    assert found == sorted(pairs)
    assert graph[ITEM_TO_USER].num_edges == graph[USER_TO_ITEM].num_edges
    assert graph["item"].image_mask.tolist() == [item in seen for item in items]
    assert graph["item"].text_mask.tolist() == [item in told for item in items]
    for place, item in enumerate(items):
        expected = look(item) if item in seen else np.zeros(4096)
        assert np.array_equal(graph["item"].x_image[place].numpy(), expected)


def edit_lines(path, change):
    lines = gzip.decompress(path.read_bytes()).split(b"\n")
    path.write_bytes(gzip.compress(b"\n".join(change(lines))))


def review_line(**change):
    record = {**review(0, 0), **change}
    return json.dumps({name: value for name, value in record.items() if value is not ...}).encode()


BAD_REVIEWS = {
    "neither": (b"{'asin': ", "must be a JSON object or a Python literal"),
    "no record": (b"[1, 2]", "must hold a record"),
    "bad UTF-8": (b'{"asin": "\xff"}', "must be UTF-8 .*got byte 0xff at 10"),
    "deep JSON": (b"[" * 200_000, "nested too deeply"),
    "deep literal": (b"-" * 200_000 + b"1", "nested too deeply"),
    "many brackets": (b"{'a': " + b"(" * 200_000, "literal"),
    "many digits": (b"9" * 9000, "literal"),
    "no asin": (review_line(asin=...), "must have a 'asin' .*'overall', 'reviewText'"),
    "no reviewer": (review_line(reviewerID=...), "must have a 'reviewerID'"),
    "blank reviewer": (review_line(reviewerID=""), "'reviewerID' must be a printable text"),
    "half a reviewer": (review_line(reviewerID="\ud800"), "'reviewerID' must be a printable text"),
    "list as asin": (review_line(asin=["B000000001"]), "'asin' must be ten ASCII letters"),
    "other letters": (review_line(asin="B00000000é"), "'asin' must be ten ASCII letters"),
    "short asin": (review_line(asin="B1"), "'asin' must be ten ASCII letters"),
    "words as rating": (review_line(overall="five"), "'overall' must be .*got 'five'"),
    "a date as rating": (review_line(overall="2013-01-01"), "'overall' must be .*got '2013-01-01'"),
    "NaN as rating": (review_line(overall=float("nan")), "'overall' must be .*got nan"),
    "yes as rating": (review_line(overall=True), "'overall' must be .*got True"),
    "words as time": (review_line(unixReviewTime="now"), "'unixReviewTime' must be .*got 'now'"),
    "time with parts": (review_line(unixReviewTime=1.5), "'unixReviewTime' must be .*got 1.5"),
    "milliseconds": (review_line(unixReviewTime=10**12), "'unixReviewTime' must be seconds"),
}


@pytest.mark.parametrize("kind", BAD_REVIEWS)
def test_bad_reviews_are_refused_by_line(tmp_path, kind):
    line, message = BAD_REVIEWS[kind]
    path = write(tmp_path) / "raw" / REVIEWS
    edit_lines(path, lambda lines: [*lines[:2], line, *lines[2:]])
    with pytest.raises(ValueError, match=rf"{REVIEWS}', line 3: .*{message}"):
        AmazonMultimodal(tmp_path, "baby")
    assert not left_behind(tmp_path)


BAD_META = {
    "neither": ("{'asin': 'B000000001', 'title': ", "literal"),
    "a number as asin": ("{'asin': 1}", "'asin' must be ten ASCII"),
    "no asin": ("{'title': 'x'}", "'asin' must be ten ASCII"),
    "a set as title": ("{'asin': 'B000000001', 'title': {1, 2}}", "'title' must be text"),
    "deep": ("{'asin': 'B000000001', 'title': " + "1+" * 100_000 + "1}", "nested too deeply"),
}


@pytest.mark.parametrize("kind", BAD_META)
def test_bad_metadata_is_refused_by_line(tmp_path, kind):
    line, message = BAD_META[kind]
    path = write(tmp_path) / "raw" / META
    edit_lines(path, lambda lines: [lines[0], line.encode(), *lines[2:]])
    with pytest.raises(ValueError, match=rf"{META}', line 2: .*{message}"):
        AmazonMultimodal(tmp_path, "baby")
    assert not left_behind(tmp_path)


@pytest.mark.parametrize("name", [REVIEWS, META])
@pytest.mark.parametrize(
    "line", ["__import__('pathlib').Path({!r}).touch()", "{{'a': open({!r}, 'w')}}"]
)
def test_nothing_is_evaluated(tmp_path, name, line):
    path = write(tmp_path) / "raw" / name
    mark = tmp_path / "mark"
    edit_lines(path, lambda lines: [lines[0], line.format(str(mark)).encode()])
    with pytest.raises(ValueError, match=rf"{name}', line 2: must be a JSON .*literal"):
        AmazonMultimodal(tmp_path, "baby")
    assert not mark.exists()
    assert not left_behind(tmp_path)


def damage(data):
    return data[:60] + bytes(40) + data[100:]


BAD_FILES = {
    "reviews cut off": (REVIEWS, lambda data: data[:-30], "whole gzip file: damaged or cut off"),
    "reviews damaged": (REVIEWS, damage, "whole gzip file"),
    "reviews of another checksum": (REVIEWS, lambda data: data[:-8] + bytes(8), "whole gzip file"),
    "reviews not compressed": (REVIEWS, gzip.decompress, "whole gzip file"),
    "reviews empty": (REVIEWS, lambda data: b"", "a review a line .got none"),
    "reviews blank": (REVIEWS, lambda data: gzip.compress(b"\n \n"), "a review a line .got none"),
    "meta cut off": (META, lambda data: data[:-30], "whole gzip file"),
    "meta empty": (META, lambda data: b"", "items that were reviewed .got none of 8 in 0 lines"),
    "features cut off": (IMAGES, lambda data: data[:-5], r"record 8: .*got 16,389"),
    "features empty": (IMAGES, lambda data: b"", "record 1: "),
    "features shifted": (
        IMAGES,
        lambda data: data[3:] + data[:3],
        "record 1: must begin with an ASIN",
    ),
    "ASIN not ASCII": (
        IMAGES,
        lambda data: data[: RECORD.itemsize] + b"\xc3\xa9" + data[RECORD.itemsize + 2 :],
        "record 2: must begin with an ASIN",
    ),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_bad_files_are_refused(tmp_path, kind):
    name, change, message = BAD_FILES[kind]
    path = write(tmp_path) / "raw" / name
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"{name}'.*{message}"):
        AmazonMultimodal(tmp_path, "baby")
    assert not left_behind(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_must_be_finite_where_they_count(tmp_path, value):
    rows = np.stack([look(item) for item in range(9)])
    rows[8] = value  # of an item nobody reviewed
    path = write(tmp_path) / "raw" / IMAGES
    write_image_features(path, [([asin(item) for item in range(9)], rows)])
    assert AmazonMultimodal(tmp_path, "baby")[0]["item"].image_mask.all()
    rows[4, 17] = value
    write_image_features(path, [([asin(item) for item in range(9)], rows)])
    with pytest.raises(ValueError, match=rf"{IMAGES}', record 5, number 17: .*got {value}"):
        AmazonMultimodal(tmp_path, "baby")
    assert MultimodalDataset(tmp_path / "processed/baby").report.num_items == 8  # as before


def test_an_item_has_one_look(tmp_path):
    path = write(tmp_path) / "raw" / IMAGES
    write_image_features(
        path, [([asin(1), asin(2), asin(1)], np.stack([look(i) for i in (1, 2, 3)]))]
    )
    with pytest.raises(ValueError, match=rf"{IMAGES}', record 3: .*B000000001 again"):
        AmazonMultimodal(tmp_path, "baby")


def test_files_of_other_items(tmp_path):
    write(tmp_path, images=range(50, 60))
    with pytest.raises(ValueError, match=rf"{IMAGES}' must .*got none of 8 in 10 records"):
        AmazonMultimodal(tmp_path, "baby")
    write(tmp_path, meta=range(50, 60))
    with pytest.raises(ValueError, match=rf"{META}' must .*got none of 8 in 10 lines"):
        AmazonMultimodal(tmp_path, "baby")
    write_lines(tmp_path / "raw" / META, [{"asin": asin(0), "title": " "}])
    with pytest.raises(ValueError, match=rf"{META}' must have a text .*got 8 without"):
        AmazonMultimodal(tmp_path, "baby")
    assert not left_behind(tmp_path)


def test_a_line_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "_MAX_LINE", 5000)
    path = write(tmp_path) / "raw" / REVIEWS
    edit_lines(path, lambda lines: [*lines, b"x" * 9000])
    with pytest.raises(ValueError, match=rf"{REVIEWS}', line \d+: is longer than 5,000 bytes"):
        AmazonMultimodal(tmp_path, "baby")


@pytest.mark.parametrize("function", ["create_features", "fill_folder"])
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch, function):
    def full(path, *args, **kwargs):
        folder = path if path.is_dir() else path.parent
        (folder / "half").write_text("of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))

    monkeypatch.setattr(convert, function, full)
    with pytest.raises(OSError, match="No space left on device: '.*baby"):
        AmazonMultimodal(write(tmp_path), "baby")
    assert not left_behind(tmp_path)
    assert not [*tmp_path.joinpath("processed").iterdir()]
    monkeypatch.undo()
    assert AmazonMultimodal(tmp_path, "baby").report.num_items == 8


def test_a_converted_folder_is_not_overwritten_unasked(tmp_path):
    raw = write(tmp_path) / "raw"
    convert_amazon(raw, "baby", tmp_path / "out")
    with pytest.raises(ValueError, match="holds a data set already"):
        convert_amazon(raw, "baby", tmp_path / "out")
    (raw / META).unlink()
    with pytest.raises(ValueError, match=rf"must hold .*got none of \['{META}'\]"):
        convert_amazon(raw, "baby", tmp_path / "new")


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A mirror that does not answer before one that has the files."""
    files = write(tmp_path / "mirror") / "raw"

    def sources(category):
        urls = [(tmp_path / "nowhere").as_uri(), files.as_uri()]
        return {
            name: download.Source(tuple(f"{url}/{name}" for url in urls)) for name in category.files
        }

    monkeypatch.setattr(download, "sources", sources)
    return files


def test_download(tmp_path, mirror):
    root = tmp_path / "root"
    digest = hashlib.sha256((mirror / META).read_bytes()).hexdigest()
    dataset = AmazonMultimodal(root, "baby", sha256={META: digest.upper()})
    assert dataset.report.num_items == 8
    assert sorted(path.name for path in (root / "raw").iterdir()) == sorted([REVIEWS, META, IMAGES])


def test_a_download_of_another_digest_is_refused(tmp_path, mirror):
    with pytest.raises(
        ValueError, match=rf"No mirror gave '{META}' .*must have the sha256 00 .got"
    ):
        AmazonMultimodal(tmp_path / "root", "baby", sha256={META: "00"})
    assert [path.name for path in (tmp_path / "root" / "raw").iterdir()] == [REVIEWS]
    with pytest.raises(ValueError, match="`sha256` must name files .*got 'meta.json'"):
        AmazonMultimodal(tmp_path / "root", "baby", sha256={"meta.json": "00"})


def test_a_download_that_ends_early_is_refused(tmp_path, mirror, monkeypatch):
    urlopen = download.urlopen

    def early(url, timeout):
        answer = urlopen(url, timeout=timeout)
        answer.headers.replace_header("Content-Length", "99999999")
        return answer

    monkeypatch.setattr(download, "urlopen", early)
    with pytest.raises(ValueError, match=rf"'{REVIEWS}' .*must have 99,999,999 bytes"):
        AmazonMultimodal(tmp_path / "root", "baby")
    assert not [*(tmp_path / "root" / "raw").iterdir()]


def test_without_a_network_the_error_lists_what_to_put_where(tmp_path, monkeypatch):
    def offline(url, timeout):
        raise OSError("offline")

    monkeypatch.setattr(download, "urlopen", offline)
    write(tmp_path)
    for name in (META, IMAGES):
        (tmp_path / "raw" / name).unlink()
    with pytest.raises(ValueError, match=f"Put into '{tmp_path}/raw': {META}") as caught:
        AmazonMultimodal(tmp_path, "baby")
    base = "https://snap.stanford.edu/data/amazon/productGraph"
    assert f"(from {base}/image_features/categoryFiles/{IMAGES})" in str(caught.value)
    assert f"{base}/categoryFiles/{META}" in str(caught.value)
    assert f"{base}/categoryFiles/{REVIEWS}" not in str(caught.value)

import errno
import gzip
import os

import pytest

from benchmarks.amazon_raw import write_lines
from crane_pyg.datasets import AmazonMultimodal, MultimodalDataset, convert_amazon
from crane_pyg.datasets.amazon import convert
from tests.datasets.amazon.originals import (
    IMAGES,
    META,
    PAIRS,
    RECORD,
    REVIEWS,
    asin,
    left_behind,
    splits,
    write,
)


def test_splits(tmp_path):
    write(tmp_path)
    by_time = splits(AmazonMultimodal(tmp_path, "baby", split="time"))
    assert [sorted(PAIRS[:16]), PAIRS[16:18], PAIRS[18:]] == by_time
    one, two = (splits(AmazonMultimodal(tmp_path, "baby", split="random", seed=s)) for s in (0, 1))
    assert one == splits(AmazonMultimodal(tmp_path, "baby"))
    assert one != two
    convert_amazon(tmp_path / "raw", "baby", tmp_path / "out", split="time")
    assert splits(MultimodalDataset(tmp_path / "out")) == by_time
    with pytest.raises(ValueError, match="split must be one of 'random', 'time', .*got 'late'"):
        convert_amazon(tmp_path / "raw", "baby", tmp_path / "new", split="late")


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

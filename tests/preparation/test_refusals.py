"""Whatever goes wrong while a data set is encoded and written leaves everything as it was."""

import errno
import os

import pytest

from crane_pyg.datasets import MultimodalDataset
from tests.preparation.shop import FEATURES, refused


def test_the_shop_itself_is_fine(shop):
    shop.run(*shop.features(), "--images", shop.path("pics"))
    dataset = MultimodalDataset(shop.folder / "out")
    assert dataset.report.num_interactions == 36
    assert dataset[0]["item"].x_audio.tolist() == FEATURES.tolist()


@refused(r"Two sources for one modality.* \(got 'image'\)")
def test_features_of_the_name_of_another(shop):
    features = shop.features()[1].replace("audio", "image")
    return ["--features", features, "--images", shop.path("pics")]


@refused(r"pics/3\.png' must be a picture, which --strict demands \(got UnidentifiedImageError")
def test_a_broken_picture_under_strict(shop):
    (shop.folder / "pics" / "3.png").write_bytes(b"no picture")
    return ["--images", shop.path("pics"), "--strict"]


@refused(r"There is no picture that can be read \(got for example UnidentifiedImageError")
def test_nothing_but_broken_pictures(shop):
    for path in (shop.folder / "pics").iterdir():
        path.write_bytes(b"no picture")
    return ["--images", shop.path("pics")]


@refused(r"There is no text to encode \(got 6 without a word\)")
def test_no_text_anywhere(shop):
    for row in shop.items:
        row[1] = ""
    shop.write()
    return ["--text-columns", "title"]


@refused(r"out' must be a folder, or not there yet \(got a file\)")
def test_a_file_at_out(shop):
    (shop.folder / "out").write_text("mine")


@refused(r"out' must be empty .* \(got 1 entries that were not written by .* 'mine\.txt'\)")
def test_somebody_elses_folder_at_out(shop):
    (shop.folder / "out").mkdir()
    (shop.folder / "out" / "mine.txt").write_text("mine")
    return ["--overwrite"]


@refused(r"text encoder must be .*without that package")
def test_a_text_encoder_that_is_not_here(shop):
    return ["--text-columns", "title", "--text-encoder", "all-MiniLM-L6-v2"]


@refused(r"image encoder 'timm/jam' needs the package timm \(got none\)")
def test_an_image_encoder_that_is_not_here(shop):
    return ["--images", shop.path("pics"), "--image-encoder", "timm/jam"]


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
    with pytest.raises(SystemExit, match="130"):
        shop.run()
    monkeypatch.undo()
    assert shop.tree() == before

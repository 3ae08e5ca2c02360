import hashlib

import pytest

from crane_pyg.datasets import AmazonMultimodal
from crane_pyg.datasets.amazon import download
from tests.datasets.amazon.originals import IMAGES, META, REVIEWS, write


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

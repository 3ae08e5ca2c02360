import pytest

from crane_pyg.datasets import AmazonMultimodal
from crane_pyg.datasets.amazon import image_features, records
from tests.datasets.amazon.originals import META, REVIEWS, edit_lines, left_behind, write


def test_lines_may_be_longer_than_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "_BLOCK", 7)
    monkeypatch.setattr(image_features, "_BLOCK", 3)
    assert AmazonMultimodal(write(tmp_path), "baby").report.num_interactions == 20


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


def test_a_line_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setenv("CRANE_PYG_MAX_LINE", "5000")
    path = write(tmp_path) / "raw" / REVIEWS
    edit_lines(path, lambda lines: [*lines, b"x" * 9000])
    with pytest.raises(ValueError, match=rf"{REVIEWS}', line \d+: bytes: must be at most 5,000"):
        AmazonMultimodal(tmp_path, "baby")

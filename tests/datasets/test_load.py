import pytest

from crane_pyg.datasets import load_dataset
from tests.datasets.amazon.originals import write


def test_a_name_for_every_source(tmp_path, monkeypatch):
    write(tmp_path / "data" / "amazon-baby")
    monkeypatch.chdir(tmp_path)
    assert load_dataset("data/amazon-baby").report.num_items == 8
    assert load_dataset("amazon:Baby", split="time").split == "time"
    write(tmp_path / "data" / "amazon-baby")
    (tmp_path / "data/amazon-baby/raw/reviews_Beauty_5.json.gz").touch()
    with pytest.raises(ValueError, match=r"must hold one .*got \['Baby', 'Beauty'\]"):
        load_dataset("data/amazon-baby")


def test_what_is_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_dataset("tiny", seed=1).seed == 1
    assert load_dataset("tiny", split="random").split == load_dataset("tiny").split == "random"
    assert load_dataset("tiny", split="cold").split == "cold"
    with pytest.raises(ValueError, match="split of a preset must be .*'random', 'cold' .got 'ti"):
        load_dataset("tiny", split="time")
    with pytest.raises(ValueError, match=r"no folder 'huge' here: .* tiny, demo.* \(got 'huge'\)"):
        load_dataset("huge")
    with pytest.raises(ValueError, match=r"min_user_interactions must be 0 \(got 5\)"):
        load_dataset("tiny", min_user_interactions=5)
    (tmp_path / "huge").mkdir()
    with pytest.raises(ValueError, match=r"'huge' must hold one '.inter' file"):
        load_dataset("huge")

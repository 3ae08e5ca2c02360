import pytest

from crane_pyg.datasets import AmazonMultimodal, load_dataset
from tests.datasets.amazon.originals import write


def test_any_category(tmp_path, monkeypatch):
    raw = write(tmp_path) / "raw"
    for path in [*raw.iterdir()]:
        path.rename(raw / path.name.replace("Baby", "Office_Products"))
    dataset = load_dataset(tmp_path)
    assert (dataset.name, dataset.report.notes) == ("office_products", ())
    with pytest.raises(ValueError, match="letters, digits and '_'.*got '../x'"):
        AmazonMultimodal(tmp_path, "../x")

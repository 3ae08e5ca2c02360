import numpy as np
import pytest

from benchmarks.amazon_raw import write_image_features
from crane_pyg.datasets import AmazonMultimodal, MultimodalDataset
from tests.datasets.amazon.originals import IMAGES, asin, look, write


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

import pytest
import torch

from crane_pyg.datasets import SyntheticMultimodal
from crane_pyg.ops import fill_missing
from crane_pyg.transforms import FillMissing


@pytest.mark.parametrize("missing", ["mask", "mean", "zero"])
def test_it_fills_every_modality_of_a_copy(missing):
    data = SyntheticMultimodal(missing_rate=0.3)[0]
    before = {key: value.clone() for key, value in data["item"].items() if torch.is_tensor(value)}
    filled = FillMissing(missing)(data)["item"]
    for m in ("visual", "textual"):
        x, mask = fill_missing(before[f"x_{m}"], before[f"{m}_mask"], missing)
        assert torch.equal(filled[f"x_{m}"], x)
        assert torch.equal(filled[f"{m}_mask"], mask)
        assert bool(mask.all()) == (missing != "mask")
    assert all(torch.equal(data["item"][key], value) for key, value in before.items())


def test_unknown_policies():
    with pytest.raises(ValueError, match="missing must be one of 'mask', 'mean', .*got 'guess'"):
        FillMissing("guess")


def test_repr():
    assert repr(FillMissing("mean")) == "FillMissing('mean')"

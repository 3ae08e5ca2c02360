import pytest
import torch
import torch.nn.functional as F

from crane_pyg.nn.fusion import FUSIONS, ConcatFusion
from tests.nn.fusion.data import N, centred, cone


@pytest.mark.parametrize("kind", FUSIONS.values())
def test_repr(kind):
    assert repr(kind({"a": 5}, 4)) == f"{kind.__name__}({{'a': 5}}, 4)"


@pytest.mark.parametrize("kind", FUSIONS.values())
def test_no_modality(kind):
    with pytest.raises(ValueError, match="must have item features .got no modality"):
        kind({})


@pytest.mark.parametrize("kind", FUSIONS.values())
def test_what_learns_has_parameters_and_starts_anew(kind):
    fusion = kind({"a": 5, "b": 3}, 4)
    assert fusion.learns == (len([*fusion.parameters()]) > 0)
    fusion.modality_share.fill_(0.5)
    before = [p.clone() for p in fusion.parameters()]
    fusion.reset_parameters()
    assert fusion.modality_share.tolist() == [1, 1]
    after = [*fusion.parameters()]
    assert all(not torch.equal(x, y) for x, y in zip(before, after, strict=True) if x.any())


def test_features_in_unit_rows_with_and_without_their_mean():
    data = cone()
    centring, raw = ConcatFusion({"a": 5, "b": 3}), ConcatFusion({"a": 5, "b": 3}, center=False)
    for m in ("a", "b"):
        mask = data["item"][f"{m}_mask"].unsqueeze(1)
        torch.testing.assert_close(centring.unit_features(data)[m], centred(data, m))
        unit = F.normalize(data["item"][f"x_{m}"], dim=1) * mask
        torch.testing.assert_close(raw.unit_features(data)[m], unit)


def test_features_that_are_all_alike_are_no_direction():
    data = cone()
    data["item"].x_b = (torch.rand(N, 1) + 1) * torch.tensor([1.0, 2.0, 3.0])
    assert (ConcatFusion({"a": 5, "b": 3}).unit_features(data)["b"] == 0).all()

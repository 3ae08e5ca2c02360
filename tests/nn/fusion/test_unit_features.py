import pytest
import torch
import torch.nn.functional as F

from crane_pyg.nn.fusion import unit_features
from crane_pyg.nn.fusion.unit_features import UnitFeatures


def dense(x, mask, center):
    """Row by row in float64."""
    rows = [F.normalize(row, dim=0) for row in x.double()]
    mean = torch.stack([row for row, has in zip(rows, mask, strict=True) if has]).mean(0)
    if center:
        rows = [F.normalize(row - mean, dim=0) for row in rows]
    return torch.stack([row if has else 0 * row for row, has in zip(rows, mask, strict=True)])


@pytest.fixture
def features():
    generator = torch.Generator().manual_seed(0)
    x, mask = torch.randn(63, 5, generator=generator), torch.arange(63) % 6 > 0
    return x.masked_fill(~mask.unsqueeze(1), 0), mask


@pytest.mark.parametrize("rows", [1, 7, 62, 63, 100])
@pytest.mark.parametrize("center", [False, True])
def test_blocks_equal_the_definition(monkeypatch, features, rows, center):
    monkeypatch.setattr(unit_features, "_BLOCK", 5 * rows)
    units, expected = UnitFeatures(*features, center), dense(*features, center)
    assert max(block.size(0) for block in units.blocks()) <= rows
    torch.testing.assert_close(units.all().double(), expected, rtol=0, atol=1e-6)
    items = torch.tensor([60, 2, 2])
    torch.testing.assert_close(units.some(items).double(), expected[items], rtol=0, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 7, 63])
def test_projection_and_its_gradient(monkeypatch, features, rows):
    monkeypatch.setattr(unit_features, "_BLOCK", 5 * rows)
    weight = torch.randn(3, 5, requires_grad=True)
    grad = torch.randn(63, 3)
    out = UnitFeatures(*features, True).project(weight)
    expected = dense(*features, True).float() @ weight.T
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)
    found, wanted = (torch.autograd.grad(y, weight, grad)[0] for y in (out, expected))
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_half_precision_is_prepared_in_single(features):
    x, mask = features
    half = UnitFeatures(x.half(), mask, True)
    assert half.all().dtype == torch.float32
    torch.testing.assert_close(half.all(), UnitFeatures(x.half().float(), mask, True).all())


def test_features_are_left_as_they_were(features):
    before = features[0].clone()
    UnitFeatures(*features, True).project(torch.randn(2, 5))
    assert torch.equal(features[0], before)

import pytest
import torch

from crane_pyg.ops import fill_missing

X = torch.tensor([[1.0, 2.0], [9.0, 9.0], [3.0, 6.0]])
MASK = torch.tensor([True, False, True])


@pytest.mark.parametrize(("missing", "row"), [("mean", [2.0, 4.0]), ("zero", [0.0, 0.0])])
def test_a_filled_row_is_one_like_the_others(missing, row):
    x, mask = fill_missing(X, MASK, missing)
    assert x.tolist() == [[1.0, 2.0], row, [3.0, 6.0]]
    assert mask.all()
    assert X[1].tolist() == [9.0, 9.0]


def test_a_mask_leaves_everything_as_it_is():
    x, mask = fill_missing(X, MASK, "mask")
    assert x is X
    assert mask is MASK


def test_the_mean_of_nothing_is_zero():
    x, mask = fill_missing(X, torch.zeros(3, dtype=torch.bool), "mean")
    assert not x.any()
    assert mask.all()


def test_what_is_missing_does_not_leak_into_the_mean():
    x, _ = fill_missing(torch.where(MASK[:, None], X, torch.nan), MASK, "mean")
    assert x.isfinite().all()


def test_unknown_policies():
    with pytest.raises(ValueError, match="missing must be one of 'mask', 'mean', .*got 'guess'"):
        fill_missing(X, MASK, "guess")

import pytest
import torch

from crane_pyg.nn.objectives import BPRLoss, Triplets


@pytest.mark.parametrize(("reduction", "scale"), [("mean", 1), ("sum", 9)])
def test_it_is_bpr_of_inner_products(reduction, scale):
    user, item = torch.randn(9, 4), torch.randn(2, 9, 4)
    ids = torch.arange(9), torch.arange(18).view(2, 9)
    margin = (user * (item[0] - item[1])).sum(1)
    expected = -scale * margin.sigmoid().log().mean()
    torch.testing.assert_close(BPRLoss(reduction)(Triplets(user, item, *ids)), expected)


def test_an_unknown_reduction():
    with pytest.raises(ValueError, match="reduction must be one of 'mean', .*got 'max'"):
        BPRLoss("max")

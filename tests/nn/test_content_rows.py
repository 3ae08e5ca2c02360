import pytest
import torch
import torch.nn.functional as F

from crane_pyg.nn import content_rows


def cosines(x, mask):
    """The definition, with zeros where an item lacks the modality."""
    x = F.normalize(x.double(), dim=1)
    x = F.normalize(x - x[mask].mean(0), dim=1) * mask.unsqueeze(1)
    return x @ x.T


def test_products_are_the_mean_of_the_cosines(checkerboard):
    item = checkerboard["item"]
    item.textual_mask = torch.arange(40) % 7 != 3
    item.x_textual[~item.textual_mask] = 0
    rows = content_rows(checkerboard, ["visual", "textual"], weight=6.0)
    wanted = cosines(item.x_visual, item.visual_mask) + cosines(item.x_textual, item.textual_mask)
    assert rows.dtype == torch.float32
    torch.testing.assert_close((rows @ rows.T).double(), 3 * wanted, rtol=0, atol=1e-5)
    (alone,) = content_rows(checkerboard, ["textual"])[~item.textual_mask].unique(dim=0)
    assert not alone.any()


def test_wide_features_keep_what_they_share(checkerboard):
    """Forty rows have forty directions, so that 128 singular vectors keep all."""
    item = checkerboard["item"]
    item.x_visual = torch.randn(40, 300)
    state = torch.random.get_rng_state()
    rows = content_rows(checkerboard, ["visual"])
    assert rows.size(1) <= 128
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(rows, content_rows(checkerboard, ["visual"]))
    wanted = cosines(item.x_visual, item.visual_mask)
    torch.testing.assert_close((rows @ rows.T).double(), wanted, rtol=0, atol=1e-5)


def test_there_must_be_something(checkerboard):
    with pytest.raises(ValueError, match="features.*no modality"):
        content_rows(checkerboard, [])

import pytest
import torch

from crane_pyg.ops import dropout


def test_share_scale_and_gradient():
    torch.manual_seed(0)
    x = torch.full((101, 997), 3.0, requires_grad=True)
    out = dropout(x, 0.3)
    kept = out != 0
    assert kept.float().mean().item() == pytest.approx(0.7, abs=0.005)
    torch.testing.assert_close(out[kept], torch.full_like(out[kept], 3 / 0.7), rtol=1e-4, atol=0)
    out.sum().backward()
    torch.testing.assert_close(x.grad, out.detach() / 3)


def test_neighbours_are_dropped_independently():
    torch.manual_seed(0)
    kept = (dropout(torch.ones(400_000), 0.5) != 0).float()
    for shift in range(1, 9):  # four entries come from one draw
        assert torch.corrcoef(torch.stack([kept[shift:], kept[:-shift]]))[0, 1].abs() < 0.01


@pytest.mark.parametrize("size", [0, 1, 63])
def test_none_and_all(size):
    x = torch.randn(size, dtype=torch.double)
    assert torch.equal(dropout(x, 0.0), x)
    assert torch.equal(dropout(x, 1.0), torch.zeros_like(x))
    assert dropout(x, 0.5).shape == x.shape


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan")])
def test_bad_input(p):
    with pytest.raises(ValueError, match=f"p must lie in .*got {p}"):
        dropout(torch.ones(3), p)

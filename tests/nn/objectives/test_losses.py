import math

import pytest
import torch

from crane_pyg.nn import bpr_loss, info_nce_loss


def dense_bpr(pos, neg):
    """Eq. 18, before the sum."""
    return torch.stack(
        [-torch.log(1 / (1 + torch.exp(-(p - n)))) for p, n in zip(pos, neg, strict=True)]
    )


def dense_info_nce(e, h, temperature):
    """Eq. 19, before the sum: node by node, negative by negative."""
    losses = []
    for u in range(len(e)):
        sim = [e[u] @ h[v] / (e[u].norm() * h[v].norm()) for v in range(len(h))]
        negatives = sum(torch.exp(s / temperature) for s in sim)
        losses.append(-torch.log(torch.exp(sim[u] / temperature) / negatives))
    return torch.stack(losses)


REDUCE = {"none": lambda x: x, "sum": torch.sum, "mean": torch.mean}


@pytest.mark.parametrize("reduction", REDUCE)
def test_bpr_equals_equation_18(reduction):
    pos, neg = (torch.randn(9, dtype=torch.double, requires_grad=True) for _ in range(2))
    loss = bpr_loss(pos, neg, reduction=reduction)
    expected = REDUCE[reduction](dense_bpr(pos, neg))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(loss.sum(), [pos, neg]), torch.autograd.grad(expected.sum(), [pos, neg])
    )


def test_bpr_is_a_mean_by_default():
    pos, neg = torch.tensor([1.0, 0.0]), torch.tensor([1.0, 2.0])
    expected = (math.log(2) + math.log(1 + math.exp(2))) / 2
    assert bpr_loss(pos, neg).item() == pytest.approx(expected)


def test_bpr_of_scores_far_apart():
    loss = bpr_loss(torch.tensor([1e4, -1e4]), torch.tensor([-1e4, 1e4]), reduction="none")
    assert loss.tolist() == [0, 2e4]


@pytest.mark.parametrize("reduction", REDUCE)
@pytest.mark.parametrize("temperature", [0.1, 0.2, 1.0])
@pytest.mark.parametrize("n", [1, 2, 13])
def test_info_nce_equals_equation_19(reduction, temperature, n):
    e, h = (torch.randn(n, 4, dtype=torch.double, requires_grad=True) for _ in range(2))
    loss = info_nce_loss(e, h, temperature=temperature, reduction=reduction)
    expected = REDUCE[reduction](dense_info_nce(e, h, temperature))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(loss.sum(), [e, h]), torch.autograd.grad(expected.sum(), [e, h])
    )


def test_info_nce_has_a_direction():
    """The sum runs over the second view: swapping the views gives another loss."""
    e, h = torch.randn(5, 3), torch.randn(5, 3)
    assert abs(info_nce_loss(e, h) - info_nce_loss(h, e)) > 1e-2


def test_info_nce_of_orthogonal_pairs():
    loss = info_nce_loss(3 * torch.eye(4), torch.eye(4), temperature=0.5)
    assert loss.item() == pytest.approx(math.log(1 + 3 * math.exp(-2)))


def test_info_nce_ignores_lengths():
    e, h = torch.randn(5, 3), torch.randn(5, 3)
    scale = torch.tensor([[1e-6], [0.1], [1.0], [10.0], [1e6]])
    torch.testing.assert_close(info_nce_loss(e * scale, h / scale), info_nce_loss(e, h))


def test_info_nce_of_a_zero_row():
    """Similarity 0 to everything, and no gradient that would be 1e12 times too large."""
    e, h = torch.randn(5, 3), torch.randn(5, 3)
    e[2] = h[4] = 0
    e.requires_grad_()
    h.requires_grad_()
    loss = info_nce_loss(e, h, reduction="none")
    assert loss[2].item() == pytest.approx(math.log(5))
    loss.sum().backward()
    assert e.grad[2].eq(0).all()
    assert h.grad[4].eq(0).all()
    assert 0 < e.grad.abs().max() < 1e3


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_an_empty_batch_costs_nothing(reduction):
    assert bpr_loss(torch.empty(0), torch.empty(0), reduction=reduction).item() == 0
    x = torch.empty(0, 3)
    assert info_nce_loss(x, x, reduction=reduction).item() == 0


def test_errors():
    x, y = torch.ones(3), torch.ones(2)
    with pytest.raises(ValueError, match=r"must have one shape \(got \[3\] and \[2\]\)"):
        bpr_loss(x, y)
    with pytest.raises(ValueError, match=r"reduction must be .* \(got 'max'\)"):
        bpr_loss(x, x, reduction="max")
    x, y = torch.ones(3, 2), torch.ones(3, 4)
    with pytest.raises(ValueError, match=r"of one shape \(got \[3, 2\] and \[3, 4\]\)"):
        info_nce_loss(x, y)
    with pytest.raises(ValueError, match=r"must be \[n, d\] of one shape \(got \[3\] and \[3\]\)"):
        info_nce_loss(x[:, 0], x[:, 0])
    for temperature in (0, -0.5, math.nan):
        with pytest.raises(ValueError, match=r"temperature must be positive \(got"):
            info_nce_loss(x, x, temperature=temperature)
    with pytest.raises(ValueError, match=r"reduction must be .* \(got 'max'\)"):
        info_nce_loss(x, x, reduction="max")

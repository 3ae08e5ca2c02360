import pytest
import torch
import torch.nn.functional as F

from crane_pyg.nn.objectives.cross_entropy import CrossEntropy


def of_logits(pos, neg, hidden, scale):
    logits = torch.cat([pos.unsqueeze(1), neg.masked_fill(hidden, -torch.inf)], dim=1)
    return F.cross_entropy(scale * logits, torch.zeros_like(pos).long(), reduction="none")


@pytest.mark.parametrize("scale", [0.5, 1.0, 5.0])
@pytest.mark.parametrize(("rows", "count"), [(1, 1), (5, 0), (7, 3), (64, 100), (0, 0)])
def test_it_is_the_cross_entropy_of_all_logits(rows, count, scale):
    pos, neg = (torch.randn(*s, dtype=torch.double) for s in ((rows,), (rows, count)))
    hidden = torch.rand(rows, count) < 0.3
    hidden[: rows // 4] = True  # rows without a negative
    given = [(pos.clone().requires_grad_(), neg.clone().requires_grad_()) for _ in range(2)]
    found = CrossEntropy.apply(*given[0], hidden, scale)
    expected = of_logits(*given[1], hidden, scale)
    torch.testing.assert_close(found, expected)
    weight = torch.randn(rows, dtype=torch.double)
    for cost in (found, expected):
        (cost * weight).sum().backward()
    for mine, other in zip(*given, strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


def test_gradients():
    pos, neg = torch.randn(4).double(), torch.randn(4, 5).double()
    hidden = torch.rand(4, 5) < 0.3
    inputs = pos.requires_grad_(), neg.requires_grad_()
    assert torch.autograd.gradcheck(lambda p, n: CrossEntropy.apply(p, n, hidden, 2.0), inputs)


def test_what_is_given_stays_as_it_was():
    pos, neg, hidden = torch.randn(4), torch.randn(4, 5), torch.rand(4, 5) < 0.5
    before = neg.clone()
    CrossEntropy.apply(pos, neg, hidden, 2.0)
    assert torch.equal(neg, before)

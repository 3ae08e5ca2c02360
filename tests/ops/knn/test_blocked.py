import pytest
import torch

from crane_pyg.ops.knn.blocked import GROUP, _topk


@pytest.mark.parametrize("k", [1, 6, 50])
@pytest.mark.parametrize("n", [70, 64 * GROUP, 64 * GROUP + 1, 400 * GROUP - 1])
def test_the_largest_by_groups_are_the_largest(n, k):
    torch.manual_seed(0)
    for x in (torch.randn(7, n), torch.randint(5, (7, n)).float(), torch.zeros(2, n)):
        value, index = _topk(x, k)
        assert torch.equal(value, x.topk(k, dim=1).values)
        assert torch.equal(x.gather(1, index), value)
        assert all(row.unique().numel() == k for row in index)


def test_what_is_left_out_stays_out():
    x = torch.full((3, 70 * GROUP), -torch.inf)
    x[:, 5] = x[:, -1] = 1.0
    value, index = _topk(x, 2)
    assert value.tolist() == [[1.0, 1.0]] * 3
    assert index.sort(dim=1).values.tolist() == [[5, x.size(1) - 1]] * 3

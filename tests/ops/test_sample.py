import torch

from crane_pyg.ops import some_of


def test_few_stay_as_they_are():
    rows = torch.tensor([5, 3, 9])
    assert some_of(rows, 3) is rows


def test_of_many_some_in_their_order_and_always_the_same():
    rows = torch.arange(0, 2000, 2)
    found = some_of(rows, 10)
    assert found.numel() == 10
    assert found.diff().min() > 0
    assert torch.isin(found, rows).all()
    torch.manual_seed(1)
    assert torch.equal(some_of(rows, 10), found)

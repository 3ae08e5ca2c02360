import pytest
import torch

from crane_pyg.ops.distinct import distinct, padded_distinct


@pytest.mark.parametrize("shape", [(0,), (1,), (63,), (2, 40)])
@pytest.mark.parametrize("find", [distinct, padded_distinct])
def test_each_entry_once_and_where_it_lies(find, shape):
    index = torch.randint(30, shape)
    values, inverse = find(index)
    expected, places = torch.unique(index, return_inverse=True)
    assert torch.equal(values[: expected.numel()], expected)
    assert torch.equal(inverse, places)
    assert torch.isin(values, expected).all()  # what is filled up repeats
    assert values.numel() == (index.numel() if find is padded_distinct else expected.numel())

import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn import choose_thinning


@pytest.mark.parametrize(
    ("taken", "expected"),
    [([11, 12], "multinomial"), ([12, 12], None), ([2, 40], None), ([1, 11, 11], "multinomial")],
)
def test_it_is_dropped_where_users_have_few_items(taken, expected):
    user = torch.repeat_interleave(torch.arange(len(taken)), torch.tensor(taken))
    item = torch.cat([torch.arange(n) for n in taken])
    edges = torch.stack([user, item])
    data = build_hetero_data(
        edges, torch.zeros(edges.size(1), dtype=torch.long), num_users=9, num_items=40
    )
    assert choose_thinning(data) == expected

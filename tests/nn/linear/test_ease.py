import pytest
import torch

from crane_pyg.nn.linear import EASE, LocalEASE
from crane_pyg.ops import ease
from crane_pyg.schema import USER_TO_ITEM


def test_repr():
    assert repr(EASE(5, l2=20)) == "EASE(5, l2=20, dropout=0, damping=0)"
    local = "LocalEASE(5, l2=0.5, num_neighbors=100, dropout=0.5, reach=8, damping=0.5)"
    assert repr(LocalEASE(5, l2=0.5, damping=0.5)) == local


def test_both_are_the_closed_form_of_the_training_edges(checkerboard):
    edge_index, user = checkerboard[USER_TO_ITEM].edge_index, torch.arange(24)
    wanted = ease(edge_index, (24, 40), 20.0, dtype=torch.float64)
    taken = torch.zeros(24, 40, dtype=torch.float64)
    taken[edge_index[0], edge_index[1]] = 1
    for model in (EASE(40, l2=20.0), LocalEASE(40, l2=20.0, num_neighbors=39, dropout=0.0)):
        model.solve(checkerboard)
        scores = model(checkerboard, user).double()
        torch.testing.assert_close(scores, taken @ wanted, rtol=0, atol=1e-6)


def test_users_of_many_items_count_less_where_they_shall(checkerboard):
    data = checkerboard.clone()
    data[USER_TO_ITEM].edge_index = data[USER_TO_ITEM].edge_index[:, 15:]  # one has taken three
    expected = ease(data[USER_TO_ITEM].edge_index, (24, 40), 20.0, damping=0.5)
    local = LocalEASE(40, l2=20.0, num_neighbors=39, dropout=0.0, damping=0.5)
    again = LocalEASE(40, l2=20.0, num_neighbors=39, dropout=0.0, damping=0.5)
    again.solver(data)(None)
    whole = EASE(40, l2=20.0, damping=0.5)
    user = torch.arange(24)
    for model in (whole, local):
        model.solve(data)
    torch.testing.assert_close(whole.weight, expected)
    torch.testing.assert_close(local(data, user), whole(data, user), rtol=0, atol=1e-6)
    assert torch.equal(again(data, user), local(data, user))


def test_memory_is_bounded(checkerboard):
    with pytest.raises(ValueError, match="40 items.*local"):
        EASE(40, max_gb=1e-6).solve(checkerboard)

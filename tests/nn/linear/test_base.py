import copy

import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.linear import EASE, ItemToItem, LocalEASE, base
from crane_pyg.schema import USER_TO_ITEM


@pytest.fixture(params=["dense", "sparse"])
def build(request):
    """A model of each way to keep weights."""
    if request.param == "dense":
        return lambda num_items: EASE(num_items, l2=2.0)
    return lambda num_items: LocalEASE(num_items, l2=2.0, num_neighbors=4)


def world(num_users=30, num_items=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    taken = torch.rand(num_users, num_items, generator=generator) < 0.3
    taken[3] = False  # of whom nothing is known
    pairs = taken.nonzero().T
    label = torch.zeros(pairs.size(1), dtype=torch.long)
    sizes = {"num_users": num_users, "num_items": num_items}
    features = {"visual": torch.randn(num_items, 3, generator=generator)}
    return build_hetero_data(pairs, label, **sizes, features=features), taken


def matrix(model):
    if isinstance(model, EASE):
        return model.weight
    weight = torch.zeros(model.num_items, model.num_items)
    weight[model.edge_index[0], model.edge_index[1]] = model.value
    return weight


def test_scores_are_sums_over_what_a_user_took(build, monkeypatch):
    monkeypatch.setattr(base, "_CHUNK", 7)
    data, taken = world()
    model = build(12)
    model.solve(data)
    user = torch.tensor([5, 0, 3, 5, 29])
    wanted = taken[user].float() @ matrix(model)
    got = model(data, user)
    assert got.abs().sum() > 0
    torch.testing.assert_close(got, wanted)
    assert not got[2].any()
    assert model(data, user[:0]).shape == (0, 12)


def test_sharp_weights_are_powers_with_their_signs(build):
    data, _ = world()
    model = build(12)
    model.solve(data)
    before = matrix(model).clone()
    assert (before < 0).any()
    model.sharpen(1)
    assert torch.equal(matrix(model), before)
    model.sharpen(1.5)
    torch.testing.assert_close(matrix(model), before.sign() * before.abs() ** 1.5)
    with pytest.raises(ValueError, match=r"power must be positive \(got -1\)"):
        model.sharpen(-1)


def test_history_is_that_of_the_data_given(build):
    data, _ = world()
    model = build(12)
    model.solve(data)
    other, taken = world(num_users=4, seed=1)
    user = torch.arange(4)
    torch.testing.assert_close(model(other, user), taken.float() @ matrix(model))
    before = model(data, user)
    data[USER_TO_ITEM].edge_index = data[USER_TO_ITEM].edge_index[:, ::2]
    assert not torch.equal(model(data, user), before)


def test_weights_of_any_size_are_loaded_where_the_items_are_as_many(build):
    data, _ = world()
    solved, fresh = build(12), torch.nn.ModuleDict({"inner": build(12)})
    empty = copy.deepcopy(fresh.state_dict())
    solved.solve(data)
    state = {f"inner.{name}": value for name, value in solved.state_dict().items()}
    fresh.load_state_dict(state)
    user = torch.arange(30)
    assert torch.equal(fresh["inner"](data, user), solved(data, user))
    state, other = copy.deepcopy(state), world(seed=2)[0]
    solved.solve(other)
    assert all(torch.equal(state[k], v) for k, v in fresh.state_dict().items())
    fresh["inner"].load_state_dict(solved.state_dict())
    assert torch.equal(fresh["inner"](other, user), solved(other, user))
    with pytest.raises(RuntimeError, match="size mismatch"):
        build(11).load_state_dict(solved.state_dict())
    fresh.load_state_dict(empty)
    assert not fresh["inner"].solved


def test_a_copy_and_double_precision_score_alike(build):
    data, _ = world()
    model = build(12)
    model.solve(data)
    user = torch.arange(30)
    wanted = model(data, user)
    assert torch.equal(copy.deepcopy(model)(data, user), wanted)
    double = copy.deepcopy(model).double()(data, user)
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), wanted)


def test_nothing_of_it_learns(build):
    data, _ = world()
    model = build(12)
    model.solve(data)
    assert not list(model.parameters())
    assert not model(data, torch.arange(3)).requires_grad


def test_what_cannot_be_scored_is_refused(build):
    data, _ = world()
    model = build(12)
    with pytest.raises(ValueError, match="solved for before"):
        model(data, torch.arange(3))
    model.solve(data)
    with pytest.raises(ValueError, match="of 12 items.*got 9"):
        model(world(num_items=9)[0], torch.arange(3))
    model.reset_parameters()
    assert not model.solved


def test_the_base_asks_for_its_parts():
    with pytest.raises(NotImplementedError):
        ItemToItem(3)

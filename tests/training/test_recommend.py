import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.training import recommend


@pytest.fixture
def data():
    # User 0 took items 0 (train), 1 (validation), 2 (test); user 1 all but item 4; user 2 nothing.
    pairs = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3)]
    label = torch.tensor([0, 1, 2, 0, 0, 0, 0])
    return build_hetero_data(torch.tensor(pairs).T, label, num_users=3, num_items=5)


@pytest.fixture
def model(fixed):
    return fixed(torch.tensor([5.0, 4.0, 3.0, 2.0, 1.0]).repeat(3, 1))


@pytest.mark.parametrize(
    ("exclude", "items"),
    [
        ("seen", [[3, 4, -1], [4, -1, -1], [0, 1, 2]]),
        ("train", [[1, 2, 3], [4, -1, -1], [0, 1, 2]]),
        ("none", [[0, 1, 2], [0, 1, 2], [0, 1, 2]]),
        (torch.tensor([[0, 2, 2], [0, 1, 0]]), [[1, 2, 3], [0, 1, 2], [2, 3, 4]]),
    ],
)
@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_what_is_excluded_is_never_recommended(data, model, exclude, items, batch_size):
    found = recommend(model, data, k=3, exclude=exclude, batch_size=batch_size)
    assert found.item.tolist() == items
    expected = torch.where(found.item < 0, -torch.inf, 5.0 - found.item)
    assert torch.equal(found.score, expected)


def test_users_in_any_order_and_as_often_as_wanted(data, model):
    found = recommend(model, data, torch.tensor([2, 0, 2]), k=2)
    assert found.item.tolist() == [[0, 1], [3, 4], [0, 1]]
    assert recommend(model, data, torch.tensor([], dtype=torch.long), k=2).item.shape == (0, 2)


def test_the_mode_of_the_model_is_kept(data, model):
    recommend(model.train(), data, k=2)
    assert model.training


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"k": 6}, "k must not exceed the catalogue .got k=6, items=5"),
        ({"k": 0}, "k must be at least 1 .got 0"),
        ({"user": torch.tensor([0, 3])}, "every user must lie between 0 and 2 .got 0 to 3"),
        ({"user": torch.tensor([-1])}, "every user must lie between 0 and 2 .got -1 to -1"),
        ({"exclude": "some"}, "exclude must be one of 'seen', 'train', 'none' .got 'some'"),
        ({"exclude": torch.tensor([[0], [5]])}, "every item of exclude .* .got 5 to 5"),
        ({"exclude": torch.tensor([0, 1])}, r"exclude must be pairs .2, E. .got \[2\]"),
    ],
)
def test_bad_arguments(data, model, kwargs, message):
    with pytest.raises(ValueError, match=message):
        recommend(model, data, **{"k": 2, **kwargs})

import math

import pytest

from crane_pyg.experiments.combinations import combinations, count_combinations, names_in_order

SPACES = [
    {"k": [1, 2, 3], "lr": [0.1, 0.01]},
    {"l2": [0.0]},
    {"ranking_temperature": [0.2, 0.1, 0.3], "ranking": ["bpr", "softmax"], "k": [1, 2]},
    {"ranking": ["softmax", "ccl"], "ranking_margin": [0.4, 0.9], "ranking_negatives": ["row"]},
    {"ranking_temperature": [0.2, 0.1], "k": [1, 2]},
]


def everything(space):
    """Every way to take one value of each."""
    ways = [{}]
    for name, values in space.items():
        ways = [way | {name: value} for way in ways for value in values]
    return ways


@pytest.mark.parametrize("space", SPACES)
def test_every_combination_comes_once_and_is_counted(space):
    found = list(combinations(space))
    assert count_combinations(space) == len(found) == len({tuple(x.items()) for x in found})
    assert found[0].items() <= {name: values[0] for name, values in space.items()}.items()
    for way in everything(space):
        assert any(chosen.items() <= way.items() for chosen in found)


def test_settings_of_another_ranking_loss_are_left_out():
    assert list(combinations(SPACES[2]))[:4] == [
        {"ranking": "bpr", "k": 1},
        {"ranking": "bpr", "k": 2},
        {"ranking_temperature": 0.2, "ranking": "softmax", "k": 1},
        {"ranking_temperature": 0.2, "ranking": "softmax", "k": 2},
    ]
    assert count_combinations(SPACES[3]) == 1 + 2
    assert names_in_order(SPACES[2]) == ["ranking", "ranking_temperature", "k"]


def test_a_huge_space_is_counted_at_once():
    space = {f"setting {n}": list(range(100)) for n in range(9)}
    assert count_combinations(space) == math.prod([100] * 9)
    assert next(combinations(space)) == dict.fromkeys(space, 0)

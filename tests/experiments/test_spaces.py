import pytest

from crane_pyg.experiments import SEARCH_SPACES, check_settings
from crane_pyg.experiments.settings import settings_with_defaults
from crane_pyg.experiments.spaces import first_trials
from crane_pyg.nn.models import MODELS


def test_every_model_with_settings_has_a_space():
    assert SEARCH_SPACES.keys() == {name for name, model in MODELS.items() if model.settings()}


@pytest.mark.parametrize("model", SEARCH_SPACES)
def test_spaces_are_of_settings_that_the_model_has(model):
    assert SEARCH_SPACES[model]
    for name, values in SEARCH_SPACES[model].items():
        assert len(set(values)) == len(values) > 0
        for value in values:
            check_settings(model, {name: value})


@pytest.mark.parametrize("model", SEARCH_SPACES)
def test_defaults_come_first(model):
    defaults = settings_with_defaults(model, {})
    first = first_trials(SEARCH_SPACES[model])[0]
    assert first == {name: defaults[name] for name in first}


def test_models_that_take_a_ranking_loss_search_it():
    searched = {name for name, space in SEARCH_SPACES.items() if "ranking" in space}
    assert searched == {name for name, model in MODELS.items() if model.takes_ranking}
    assert all("lr" in SEARCH_SPACES[name] for name in searched)


def test_softmax_has_a_start_of_its_own():
    first, second = first_trials(SEARCH_SPACES["lightgcn"])
    assert (first["ranking"], first["lr"], first["l2"]) == ("bpr", 1e-3, 1e-4)
    assert second == {
        "ranking": "softmax",
        "ranking_temperature": None,
        "lr": 3e-3,
        "l2": 0.0,
        "num_layers": 2,
    }
    assert first_trials({"lr": [1e-3, 3e-3]}) == [{"lr": 1e-3}]
    assert first_trials({"ranking": ["softmax"], "lr": [1e-3]}) == [
        {"ranking": "softmax", "lr": 1e-3}
    ]

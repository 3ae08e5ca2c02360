import pytest

from crane_pyg.experiments import SEARCH_SPACES, check_settings
from crane_pyg.nn.models import MODELS


def test_every_space_is_of_a_model():
    assert SEARCH_SPACES.keys() <= MODELS.keys()


@pytest.mark.parametrize("model", SEARCH_SPACES)
def test_published_spaces_are_of_settings_that_the_model_has(model):
    for name, values in SEARCH_SPACES[model].items():
        assert len(set(values)) == len(values) > 0
        for value in values:
            check_settings(model, {name: value})

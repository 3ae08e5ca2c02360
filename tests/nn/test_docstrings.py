"""What a reader finds in the docstrings of what users compose."""

import inspect

import pytest
import torch

import crane_pyg.nn
from crane_pyg.nn.models import MODELS

PUBLIC = {name: getattr(crane_pyg.nn, name) for name in crane_pyg.nn.__all__}
MODULES = PUBLIC | {model.__name__: model for model in MODELS.values()}
MODULES = {
    name: kind
    for name, kind in MODULES.items()
    if inspect.isclass(kind) and issubclass(kind, torch.nn.Module)
}


@pytest.mark.parametrize("name", MODULES)
def test_a_forward_says_what_it_takes_and_in_what_shapes(name):
    text = inspect.getdoc(MODULES[name].forward)
    assert "Args:" in text
    assert "Shapes:" in text


@pytest.mark.parametrize("name", PUBLIC | MODULES)
def test_arguments_are_explained(name):
    thing = (PUBLIC | MODULES)[name]
    text = inspect.getdoc(thing)
    given = inspect.signature(thing).parameters.values()
    named = [p.name for p in given if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    assert not [argument for argument in named if argument not in text]

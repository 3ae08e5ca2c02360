import copy

import pytest
import torch
from torch.nn import Linear, Parameter

from crane_pyg.nn.by_modality import ByModality

# Attributes of a module, what separates names in a state dict, and how both are written there.
NAMES = [
    "visual",
    "keys",
    "type",
    "training",
    "_places",
    "forward",
    "my.visual",
    "my",
    "my%2Evisual",
]
NAMES += ["%type", "%25", "a b", "ü", "T_destination"]


def test_any_name_stands_for_its_own_module():
    modules = {name: Linear(1, 1) for name in NAMES}
    found = ByModality(modules)
    assert list(found) == NAMES
    assert all(found[name] is modules[name] for name in NAMES)
    assert list(found.items()) == list(modules.items())
    assert list(found.values()) == list(modules.values())
    assert len(list(found.parameters())) == 2 * len(NAMES)
    with pytest.raises(KeyError, match="other"):
        found["other"]


def test_weights_are_saved_by_the_plain_name_where_they_can_be():
    found = ByModality({name: Linear(1, 1, bias=False) for name in ["visual", "my.visual", "type"]})
    assert list(found.state_dict()) == ["visual.weight", "my%2Evisual.weight", "%type.weight"]


def test_weights_are_loaded_again_and_copied():
    first, second = ({name: Linear(1, 1) for name in NAMES} for _ in range(2))
    ByModality(second).load_state_dict(ByModality(first).state_dict())
    copied = copy.deepcopy(ByModality(first))
    for name in NAMES:
        assert torch.equal(first[name].weight, second[name].weight)
        assert torch.equal(first[name].weight, copied[name].weight)
        assert copied[name] is not first[name]


def test_parameters_may_be_held_too():
    found = ByModality({"data": Parameter(torch.ones(2)), "keys": Parameter(torch.zeros(3))})
    assert [x.shape for x in found.parameters()] == [(2,), (3,)]
    assert torch.equal(found["keys"], torch.zeros(3))

import copy
import pickle

import torch

from crane_pyg.nn.kept import KeptFor


def test_what_was_built_is_kept_until_the_source_is_another():
    kept, built = KeptFor(), []

    def build():
        built.append(len(built))
        return built[-1]

    x, y = torch.ones(2), torch.ones(2)
    assert [kept((x,), build), kept((x,), build)] == [0, 0]
    assert kept((y,), build) == 1  # alike, but another tensor
    assert kept((y, x), build) == 2
    assert kept((y, x), build) == 2
    kept.clear()
    assert kept((y, x), build) == 3


def test_copies_start_empty():
    kept = KeptFor()
    x = torch.ones(2)
    kept((x,), lambda: "old")
    for twin in (copy.deepcopy(kept), copy.copy(kept), pickle.loads(pickle.dumps(kept))):
        assert twin((x,), lambda: "new") == "new"
    assert kept((x,), lambda: "new") == "old"

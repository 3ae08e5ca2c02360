import copy

import pytest
import torch

from crane_pyg.nn import ContentTerm, choose_content
from crane_pyg.nn.spectral_start import low_rank
from crane_pyg.nn.validation_folds import compared, ndcg_of_folds
from crane_pyg.schema import USER_TO_ITEM

WIDTHS = {"textual": 5, "visual": 12}


def coordinates(data):
    torch.manual_seed(0)
    term = ContentTerm(WIDTHS)
    term.warm_start(data)
    return term.coordinates(data)


def test_content_that_shows_what_users_like(checkerboard):
    """Users take the items of one kind; the coordinates are the kind itself."""
    kind = (torch.arange(40) % 2).float()
    told = torch.stack([kind, 1 - kind], dim=1)
    torch.manual_seed(0)
    assert choose_content(checkerboard, told, "cosine")


@pytest.mark.parametrize("similarity", ["cosine", "inner"])
def test_content_that_says_nothing(checkerboard, similarity):
    torch.manual_seed(0)
    noise = torch.randn(40, 30)
    vectors = low_rank(checkerboard, 6)
    assert not choose_content(checkerboard, noise, similarity, vectors)


@pytest.mark.parametrize("similarity", ["cosine", "inner"])
@pytest.mark.parametrize("seed", range(5))
def test_it_blends_with_the_ridge_of_the_definition(checkerboard, seed, similarity):
    torch.manual_seed(seed)
    x, (user, item) = torch.randn(40, 3), low_rank(checkerboard, 6)
    taken = torch.bincount(checkerboard[USER_TO_ITEM].edge_index[1], minlength=40).double()
    rows = torch.cat([taken.sqrt().unsqueeze(1) * x.double(), 10**0.5 * torch.eye(3).double()])
    goal = torch.cat([taken.sqrt().unsqueeze(1) * item.double(), torch.zeros(3, 6).double()])
    blended = item + (x.double() @ torch.linalg.lstsq(rows, goal).solution).float()
    both = [compared(q, checkerboard, similarity) for q in (item, blended)]
    plain, mixed = ndcg_of_folds(checkerboard, user, both).mean(1)
    found = choose_content(checkerboard, x, similarity, (user, item))
    assert found == bool(mixed > plain)


def test_without_validation_it_had_better_not(checkerboard):
    data = copy.copy(checkerboard)
    data[USER_TO_ITEM].val_edge_label_index = torch.empty(2, 0, dtype=torch.long)
    assert not choose_content(data, coordinates(data), "cosine")
    del data[USER_TO_ITEM].val_edge_label_index
    assert not choose_content(data, coordinates(data), "cosine")

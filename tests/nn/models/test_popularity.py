import torch

from crane_pyg.nn.models import Popularity
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training import fit, recommend


def test_repr():
    assert repr(Popularity(3)) == "Popularity(3)"


def test_everyone_gets_what_most_took(checkerboard):
    edges = checkerboard[USER_TO_ITEM].edge_index
    extra = torch.stack([torch.arange(24), torch.full((24,), 7)])
    checkerboard[USER_TO_ITEM].edge_index = torch.cat([edges, extra[:, ::2]], dim=1)
    model = Popularity.from_data(checkerboard)
    result = fit(model, checkerboard, progress=False)
    assert result.epochs == 1
    count = torch.bincount(checkerboard[USER_TO_ITEM].edge_index[1], minlength=40)
    assert torch.equal(model.count.long(), count)
    assert count.argmax() == 7
    assert recommend(model, checkerboard, k=1, exclude="none").item.unique().tolist() == [7]

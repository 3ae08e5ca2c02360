import pytest
import torch

from crane_pyg.nn import content_rows
from crane_pyg.nn.models import EASE, LocalEASE
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training import fit


@pytest.mark.parametrize("kind", [EASE, LocalEASE])
def test_features_explain_items_where_they_shall(kind, checkerboard):
    model = kind.from_data(checkerboard, l2=5.0, content=3.0)
    fit(model, checkerboard, progress=False)
    expected = type(model.weights)(40, l2=5.0)
    expected.solve(checkerboard, content_rows(checkerboard, ["textual", "visual"], 3.0))
    user = torch.arange(24)
    assert torch.equal(model.scorer(checkerboard)(user), expected(checkerboard, user))
    expected.solve(checkerboard)
    assert not torch.equal(model.scorer(checkerboard)(user), expected(checkerboard, user))
    assert "content=3, power=1)" in repr(model)


@pytest.mark.parametrize("kind", [EASE, LocalEASE])
def test_weights_are_sharpened_where_they_shall(kind, checkerboard):
    data = checkerboard.clone()
    data[USER_TO_ITEM].edge_index = data[USER_TO_ITEM].edge_index[:, 15:]
    model = kind.from_data(data, l2=5.0, damping=0.5, power=2.0)
    fit(model, data, progress=False)
    plain = type(model.weights)(40, l2=5.0, damping=0.5)
    plain.solve(data)
    plain.sharpen(2.0)
    user = torch.arange(24)
    assert torch.equal(model.scorer(data)(user), plain(data, user))
    with pytest.raises(ValueError, match=r"power must be positive \(got 0\)"):
        kind.from_data(data, power=0).solve(data)


@pytest.mark.parametrize("kind", [EASE, LocalEASE])
def test_features_must_be_there_and_not_repel(kind, checkerboard):
    with pytest.raises(ValueError, match=r"content must be at least 0.*got -1"):
        kind(40, content=-1)
    data = checkerboard.clone()
    for key in [key for key in data["item"] if key.startswith("x_")]:
        del data["item"][key]
    with pytest.raises(ValueError, match="content.*no modality"):
        kind.from_data(data, content=1.0).solve(data)

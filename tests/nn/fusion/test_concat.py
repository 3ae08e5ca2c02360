import torch

from crane_pyg.nn import ConcatFusion
from tests.nn.fusion.data import centred, cone


def test_the_features_side_by_side_by_their_shares():
    data, fusion = cone(), ConcatFusion({"a": 5, "b": 3})
    fusion.modality_share.copy_(torch.tensor([0.5, 1.0]))
    (space,) = fusion(data)
    torch.testing.assert_close(space.parts, [0.5 * centred(data, "a"), centred(data, "b")])
    assert [mask.sum() for mask in space.masks] == [12, 10]

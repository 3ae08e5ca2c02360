import torch

from crane_pyg.nn import SumFusion
from tests.nn.fusion.data import cone, projected


def test_the_projected_modalities_are_added_up_by_their_shares():
    data, fusion = cone(), SumFusion({"a": 5, "b": 3}, 4)
    data["item"].a_mask[0] = False
    fusion.modality_share.copy_(torch.tensor([0.5, 1.0]))
    (space,) = fusion(data)
    first, second = projected(fusion, data)
    torch.testing.assert_close(space.parts, [0.5 * first + second])
    assert space.masks[0].tolist() == [False] + [True] * 11  # the first item has neither

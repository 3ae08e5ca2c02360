import torch

from crane_pyg.nn import MeanFusion
from tests.nn.fusion.data import cone, projected


def test_a_space_for_each_modality():
    data, fusion = cone(), MeanFusion({"a": 5, "b": 3}, 4)
    fusion.modality_share.copy_(torch.tensor([0.5, 1.0]))
    spaces = fusion(data)
    assert fusion.num_spaces == len(spaces) == 2
    assert [float(space.weight) for space in spaces] == [0.25, 1]
    assert [int(space.masks[0].sum()) for space in spaces] == [12, 10]
    first, second = projected(fusion, data)
    torch.testing.assert_close([space.parts[0] for space in spaces], [0.5 * first, second])

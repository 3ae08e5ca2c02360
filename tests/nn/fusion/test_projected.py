import torch

from crane_pyg.nn import ProjectedFusion
from tests.nn.fusion.data import cone, projected


def test_the_projected_modalities_side_by_side_by_their_shares():
    data, fusion = cone(), ProjectedFusion({"a": 5, "b": 3}, 4)
    fusion.modality_share.copy_(torch.tensor([0.5, 1.0]))
    (space,) = fusion(data)
    first, second = projected(fusion, data)
    torch.testing.assert_close(space.parts, [0.5 * first, second])

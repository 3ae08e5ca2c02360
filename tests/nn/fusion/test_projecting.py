import pytest
import torch

from crane_pyg.nn.fusion import FUSIONS, ProjectingFusion
from tests.nn.fusion.data import NAMES, centred, cone, projected

KINDS = [kind for kind in FUSIONS.values() if issubclass(kind, ProjectingFusion)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_warm_start_keeps_the_geometry(kind):
    data, fusion = cone(), kind({"a": 5, "b": 3}, 6)
    found = fusion.warm_start(data)
    for m, x in zip(NAMES, projected(fusion, data), strict=True):
        raw = centred(data, m)
        torch.testing.assert_close(x @ x.T, raw @ raw.T, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found[m] @ found[m].T, raw @ raw.T, rtol=1e-4, atol=1e-4)

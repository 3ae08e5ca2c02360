"""What lies here is marked `gpu`, and skipped where there is no CUDA device."""

from pathlib import Path

import pytest
import torch

from tests.gpu.gpu_device import DEVICE

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.gpu)
        # What a driver or a compiler warns of is no failure of ours.
        item.add_marker(pytest.mark.filterwarnings("default"))
        if DEVICE == "cuda" and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))

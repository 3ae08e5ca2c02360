import sys

import pytest
import torch

from crane_pyg.training.memory import peak_memory_mb, reset_peak_memory


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process starts anew on Linux")
def test_the_peak_of_an_earlier_run_does_not_count():
    large = torch.ones(2**28, dtype=torch.uint8)
    before = peak_memory_mb(large.device)
    del large
    reset_peak_memory(torch.device("cpu"))
    assert peak_memory_mb(torch.device("cpu")) < before - 200

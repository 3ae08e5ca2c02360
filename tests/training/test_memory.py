import subprocess
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


@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc")
def test_freed_memory_is_taken_again_without_the_kernel():
    """In a process of its own: how memory is kept is a matter of the whole process."""
    code = """
import resource, torch
from crane_pyg.training.memory import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.empty(12_000_000).zero_()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(); plain = faults(); keep_freed_memory(); faults(); kept = faults()
assert kept < plain / 10, (kept, plain)
"""
    subprocess.run([sys.executable, "-c", code], check=True)

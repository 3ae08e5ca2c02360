import sys
import time

import pytest
import torch

from benchmarks import measure
from crane_pyg.datasets import SyntheticMultimodal
from crane_pyg.training import TripletSampler


def test_a_timed_sampler_hands_out_the_batches_of_training():
    data = SyntheticMultimodal("tiny")[0]
    torch.manual_seed(0)
    expected = list(TripletSampler.from_data(data, 512))
    for limit in (None, 2):
        torch.manual_seed(0)
        sampler = measure.TimedSampler(data, 512, limit)
        before = time.perf_counter()
        batches = []
        for batch in sampler:
            batches.append(batch)
            time.sleep(0.01)
        assert len(batches) == len(sampler) == len(sampler.seconds) == len(expected[:limit])
        assert all(torch.equal(a, b) for x, y in zip(batches, expected) for a, b in zip(x, y))
        assert min(sampler.seconds) >= 0.01
        assert before < sampler.started < before + sum(sampler.seconds) + 1


def test_exponents():
    assert measure.slope([1, 2, 4], [3.0, 12.0, 48.0]) == pytest.approx(2)
    assert measure.slope([1, 2, 4], [3.0, 0.0, 48.0]) is None
    assert measure.upper_slope([1, 2, 4, 8], [9.0, 9.0, 16.0, 64.0]) == pytest.approx(2)
    assert measure.upper_slope([1, 2, 4, 8], [9.0, 0.0, 16.0, 64.0]) == pytest.approx(2)
    assert measure.upper_slope([1, 2], [1.0, 2.0]) is None
    assert measure.upper_slope([1, 2, 4, 8], [9.0, 9.0, 0.0, 64.0]) is None


def _fill(n):
    """Touches n KiB for an output of n floats; of a module, since a fresh process imports it."""
    return measure.Rival(lambda: torch.ones(n, 256).sum(1))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
def test_peak_memory_is_that_of_the_step():
    memory = measure.peak_memory(_fill, 64 * 1024, torch.device("cpu"))
    assert memory.output == memory.results == 4 * 64 * 1024
    assert memory.forward == pytest.approx(64 * 2**20, rel=0.05)

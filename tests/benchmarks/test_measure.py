import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from benchmarks import measure
from crane_pyg.datasets import SyntheticMultimodal
from crane_pyg.training import TripletSampler

SCRIPT = """
import os, time
from benchmarks.measure import fresh_process
with fresh_process() as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 300).result()
"""


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


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_who_started_them(how):
    parent = subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    os.kill(worker, 0)
    parent.send_signal(how)
    assert parent.wait() == -how
    parent.stdout.close()
    with contextlib.suppress(ProcessLookupError):
        for _ in range(600):
            os.kill(worker, 0)
            time.sleep(0.1)
        pytest.fail("the worker goes on")

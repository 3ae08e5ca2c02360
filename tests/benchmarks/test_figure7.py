import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from benchmarks.paper.figure7 import announcement, predicted, too_much

SCRIPT = """
import os, time
from benchmarks.paper.figure7 import fresh_process
with fresh_process() as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 300).result()
"""


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


def test_figure7_says_what_it_begins_with_and_how_long_a_size_may_take():
    said = announcement(["baby", "electronics"], 600)
    assert said.startswith("3 models are measured at 2 sizes")
    assert "electronics with 255,404 entities; --sizes baby, or a --limit below 600 s" in said
    points = [{"model": "FREEDOM", "size": "baby", "measured_s": 10.0}]
    seconds = 10 * (255_404 / 26_495) ** 2
    assert predicted("FREEDOM", "electronics", points) == f", {seconds:.0f} s at most"
    assert predicted("CRANE, exact", "electronics", points) == ""
    assert too_much("FREEDOM", "sports", points, 5.0) == "more than 5 s are predicted"

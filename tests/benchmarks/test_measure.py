import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

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

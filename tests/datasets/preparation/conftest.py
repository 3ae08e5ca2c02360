import os
import signal
import warnings

import pytest


@pytest.fixture
def killed():
    """Runs a function in a copy of this process, which must be killed there."""

    def run(function):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads, which the copy does without
            child = os.fork()
        if child == 0:
            try:
                function()
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status)
        assert os.WTERMSIG(status) == signal.SIGKILL

    return run

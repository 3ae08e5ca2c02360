"""The device of these tests.

`CRANE_TEST_DEVICE=cpu TRITON_INTERPRET=1 pytest tests/gpu` rehearses on a CPU, on smaller sizes,
what does not need a GPU.
"""

import copy
import os

import pytest
import torch

DEVICE = os.environ.get("CRANE_TEST_DEVICE", "cuda")
REHEARSAL = DEVICE == "cpu"
needs_cuda = pytest.mark.skipif(REHEARSAL, reason="has no rehearsal on a CPU")


def copy_to(device, x):
    """A model or a graph that shares nothing with the original."""
    return copy.deepcopy(x).to(device)


def assert_same_lists(actual, expected, tolerance=1e-5):
    """Items and scores ``[U, k]``: another item is right only where it scores the same."""
    (item, score), (expected_item, expected_score) = (
        (x.cpu(), y.cpu()) for x, y in (actual, expected)
    )
    torch.testing.assert_close(score, expected_score, rtol=tolerance, atol=tolerance)
    for row, (found, wanted) in enumerate(zip(item.tolist(), expected_item.tolist())):
        scores = dict(zip(wanted, expected_score[row].tolist()))
        for place, one in enumerate(found):
            level = expected_score[row, place].item()
            # Of what is not in the other list, only the last places can be a tie.
            rival = scores.get(one, expected_score[row, -1].item())
            assert rival == pytest.approx(level, rel=tolerance, abs=tolerance), (row, place)


def synchronise():
    if DEVICE == "cuda":
        torch.cuda.synchronize()

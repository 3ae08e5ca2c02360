"""The examples on the device, which they choose themselves."""

import math

import torch

from tests.gpu.gpu_device import DEVICE
from tests.test_examples import load


def test_train_electronics(capsys):
    argv = ["--scale", "0.02", "--epochs", "1", "--batch-size", "4096"]
    scores = load("examples/train_electronics.py").main(argv)
    assert all(math.isfinite(score) for score in scores.values())
    assert "items: 1,260" in capsys.readouterr().out
    assert DEVICE == "cpu" or torch.cuda.max_memory_allocated() > 0


def test_quickstart(capsys):
    argv = ["--preset", "tiny", "--epochs", "2", "--device", DEVICE]
    load("examples/quickstart.py").main(argv)
    assert "CRANE recommends items" in capsys.readouterr().out

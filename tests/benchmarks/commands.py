"""Running a benchmark's command, and looking at what it prints and draws."""

import json
import sys

from matplotlib.image import imread


def run(monkeypatch, module, *argv):
    monkeypatch.setattr(sys, "argv", [module.__name__, *map(str, argv)])
    module.main()


def last_line(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def assert_drawn(path):
    """Wide enough to read, and with more colours than paper, ink and their blends."""
    image = imread(path)[:, :, :3]
    assert min(image.shape[:2]) >= 1000
    colored = image.max(axis=2) - image.min(axis=2) > 0.3
    assert 0.001 < colored.mean() < 0.5

import sys

import pytest

from crane_pyg.experiments import plot_comparison
from crane_pyg.nn.models import MODELS

METRICS = ("Recall@10", "Recall@20", "NDCG@10", "NDCG@20")


def runs(models, seeds):
    costs = {"seconds_per_epoch": 1.0, "peak_memory_mb": 1.0, "parameters": 1}
    return [
        {"model": model, "seed": seed, "test": dict.fromkeys(METRICS, 0.1 + 0.01 * seed), **costs}
        for model in models
        for seed in range(seeds)
    ]


@pytest.mark.parametrize(("models", "seeds"), [(["crane"], 1), (sorted(MODELS), 3)])
def test_it_is_one_column_wide(tmp_path, models, seeds):
    imread = pytest.importorskip("matplotlib.image").imread
    failed = [{"model": "bpr", "seed": 9, "error": "no"}]
    plot_comparison(runs(models, seeds) + failed, tmp_path / "table.png")
    image = imread(tmp_path / "table.png")[:, :, :3]
    assert image.shape[1] == 1050  # 3.5 inches
    assert image.shape[0] == pytest.approx(300 * (0.75 + 0.3 * len(models)), abs=1)
    assert 0.05 < (image.max(axis=2) - image.min(axis=2) > 0.5).mean() < 0.7  # the blue of the bars


def test_nothing_to_draw_is_no_figure(tmp_path):
    pytest.importorskip("matplotlib")
    plot_comparison([{"model": "bpr", "seed": 9, "error": "no"}], tmp_path / "table.png")
    assert not (tmp_path / "table.png").exists()


def test_without_matplotlib_it_raises(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError):
        plot_comparison(runs(["crane"], 1), tmp_path / "table.png")

"""Every example runs, on data small enough for a test."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_quickstart_prints_one_table_and_recommends(capsys):
    load("examples/quickstart.py").main(["--preset", "tiny", "--epochs", "2", "--device", "cpu"])
    out = capsys.readouterr().out
    table = re.findall(r"^ +(LightGCN|CRANE)((?: +0\.\d{4}){4})$", out, flags=re.MULTILINE)
    assert [name for name, _ in table] == ["LightGCN", "CRANE"]
    recommended = re.search(r"CRANE recommends items \[(.*)\]", out)
    assert recommended is not None
    assert len(set(recommended.group(1).split(", "))) == 5


def test_layers_compose_and_learn(capsys):
    losses = load("examples/compose_layers.py").main(["--steps", "20"])
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("from_folder", [False, True])
def test_train_electronics(capsys, tmp_path, from_folder):
    argv = ["--scale", "0.005", "--epochs", "1", "--batch-size", "1024"]
    if from_folder:
        write_folder(tmp_path)
        argv += ["--data", str(tmp_path)]
    scores = load("examples/train_electronics.py").main(argv)
    assert list(scores) == ["Recall@10", "NDCG@10", "Recall@20", "NDCG@20"]
    assert f"items: {40 if from_folder else 315}" in capsys.readouterr().out


def write_folder(folder: Path) -> None:
    rng = np.random.default_rng(0)
    taken = np.stack([rng.choice(40, 7, replace=False) for _ in range(30)])
    rows = [f"{u}\t{taken[u, n]}\t{max(0, n - 4)}\n" for u in range(30) for n in range(7)]
    (folder / "small.inter").write_text("".join(["userID\titemID\tx_label\n", *rows]))
    for name, width in {"visual": 12, "textual": 5}.items():
        np.save(folder / f"{name}_feat.npy", rng.standard_normal((40, width)))

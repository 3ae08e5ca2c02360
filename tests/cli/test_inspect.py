import json

import numpy as np
import pytest
from matplotlib.image import imread

from crane_pyg.cli import main


def test_a_report(capsys):
    main(["inspect", "tiny"])
    out = capsys.readouterr().out
    assert out.startswith("# tiny\n")
    assert "300 users, 200 items, 4,500 distinct pairs in 4,500 rows; density 7.500%." in out
    assert "| train | 3,600 |" in out
    assert "| shape | 200 x 32 | 200 x 64 |" in out


def test_out_and_json(capsys, tmp_path):
    main(["inspect", "tiny", "--json", "--out", str(tmp_path / "new")])
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    files = {path.name: path for path in (tmp_path / "new").iterdir()}
    assert set(files) == {"report.md", "inspect.json", "degrees.png", "features.png"}
    assert json.loads(line) == json.loads(files["inspect.json"].read_text())
    assert files["report.md"].read_text() == err
    for name in ("degrees.png", "features.png"):
        image = imread(files[name])[:, :, :3]
        assert min(image.shape[:2]) > 500
        assert (image.max(axis=2) - image.min(axis=2) > 0.3).mean() > 0.001


def test_without_matplotlib_there_are_no_figures(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    main(["inspect", "tiny", "--out", str(tmp_path)])
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", "inspect.json"}


def test_what_is_wrong_ends_in_status_1(capsys, tmp_path):
    (tmp_path / "shop.inter").write_text("userID\titemID\tx_label\n0\t0\t0\n0\t0\t1\n1\t2\t0\n")
    np.save(tmp_path / "text_feat.npy", np.array([[1.0], [np.nan]]))
    with pytest.raises(SystemExit) as stop:
        main(["inspect", str(tmp_path), "--out", str(tmp_path / "report")])
    assert stop.value.code == 1
    errors = [line for line in capsys.readouterr().out.splitlines() if line.startswith("- ")]
    assert len([line for line in errors if "NaN" in line or "in train and" in line]) == 2
    assert (tmp_path / "report" / "degrees.png").is_file()


def test_a_mistake_ends_in_status_2(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["inspect", "nowhere"])
    assert stop.value.code == 2
    assert "got 'nowhere'" in capsys.readouterr().err

import json
import os
import resource
import shutil
import signal

import numpy as np
import pandas as pd
import pytest

from crane_pyg.datasets.folder import whole_folder
from crane_pyg.datasets.npy import create_features, features_path
from crane_pyg.datasets.writer import write_dataset

TABLE = pd.DataFrame({"userID": [0, 0, 1, 1], "itemID": [0, 1, 2, 0], "x_label": [0, 1, 2, 0]})
USERS, ITEMS = ["a, b", 'say "c"'], ["x", "y\nz", " w"]


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def write(out, **options):
    write_dataset(out, "shop", TABLE, users=USERS, items=ITEMS, **options)


def test_what_is_there_is_replaced_on_request_only(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    write(out, features={"text": np.eye(3)})
    with pytest.raises(ValueError, match=r"holds a data set already \(got no --overwrite\)"):
        write(out)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"belong to its data set \(got 'notes\.txt'\)"):
        write(out, overwrite=True)
    (out / "notes.txt").unlink()
    write(out, overwrite=True)
    assert files(out) == ["dataset.json", "items.csv", "shop.inter", "users.csv"]
    assert files(tmp_path) == ["out"]


def test_who_was_killed_while_replacing_loses_nothing(tmp_path):
    out = tmp_path / "out"
    write(out, metadata={"seed": 1})
    out.rename(tmp_path / ".out.replaced")
    with pytest.raises(ValueError, match="holds a data set already"):
        write(out)
    assert json.loads((out / "dataset.json").read_text())["seed"] == 1
    shutil.copytree(out, tmp_path / ".out.replaced")
    write(out, overwrite=True)
    assert files(tmp_path) == ["out"]


def test_what_a_killed_run_left_goes_with_the_next(tmp_path, killed):
    out = tmp_path / "out"

    def dies():
        with whole_folder(out) as folder:
            (folder / "half").write_text("written")
            os.kill(os.getpid(), signal.SIGKILL)

    killed(dies)
    (left,) = tmp_path.glob("*.partial")
    with whole_folder(out) as alive:
        assert not left.exists()
        with pytest.raises(ValueError, match="rows, one per item"):
            write(out, features={"text": np.eye(2)})
        assert alive.is_dir()
    assert files(tmp_path) == ["out"]


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "real").mkdir()
    for name, target in (("link", "real"), ("dangling", "new")):
        (tmp_path / name).symlink_to(target)
        write(tmp_path / name)
        write(tmp_path / name, overwrite=True)
        assert (tmp_path / name).is_symlink()
        assert "shop.inter" in files(tmp_path / target)
    assert files(tmp_path) == ["dangling", "link", "new", "real"]


def test_two_processes_do_not_make_one_folder(tmp_path, killed):
    out = tmp_path / "out"

    def second():
        with pytest.raises(ValueError, match=f"out' is in use by process {os.getppid()} since"):
            write(out)
        os.kill(os.getpid(), signal.SIGKILL)

    with whole_folder(out) as folder:
        killed(second)
        (folder / "mine").write_text("")
    assert files(out) == ["mine"]
    assert files(tmp_path) == ["out"]


def test_a_file_too_large_leaves_nothing(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(tmp_path / "out", features={"text": np.ones((3, 5000))})
        with (
            pytest.raises(OSError, match="File too large"),
            whole_folder(tmp_path / "out") as folder,
        ):
            create_features(features_path(folder, "text"), (3, 5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert files(tmp_path) == []

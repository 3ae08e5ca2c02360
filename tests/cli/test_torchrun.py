import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from crane_pyg.cli import main
from tests.together import run_together

CPU = ["--device", "cpu"]
ROOT = Path(__file__).parents[2]
KILLED = """
import os, signal, sys
from crane_pyg.cli import main
from crane_pyg.training import loop

train_epoch, begun = loop.train_epoch, []

def killed(*args):
    begun.append(1)
    is_here = os.environ["RANK"] == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
    if is_here and len(begun) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return train_epoch(*args)

loop.train_epoch = killed
main(sys.argv[1:])
"""


def torchrun(folder, *argv):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", *argv]
    train = ["train", "tiny", "--model", "lightgcn", "--epochs", "4", "--device", "cpu", "--json"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, *train, "--out", str(folder)], env=env, capture_output=True, text=True
    )


def test_two_ranks_train_and_recommend_and_one_of_them_writes(tmp_path, capfd):
    def work():
        main(["train", "tiny", "--model", "lightgcn", *CPU, "--epochs", "1", "--json", *out])
        main(["recommend", "tiny", "--run", out[1], *CPU, "--k", "3", "--out", table])

    out, table = ["--out", str(tmp_path / "run")], str(tmp_path / "items.csv")
    assert run_together(2, work) == [0, 0]
    line, told = capfd.readouterr().out.splitlines()
    assert json.loads(line)["world_size"] == 2
    assert told.startswith(f"'{table}': ")
    main(["recommend", "tiny", "--run", out[1], *CPU, "--k", "3"])
    alone = pd.read_csv(io.StringIO(capfd.readouterr().out))
    pd.testing.assert_frame_equal(pd.read_csv(table), alone)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["inspect", "tiny"], "torchrun is for train and recommend (got 2 ranks)"),
        (["train", "tiny", "--model", "ease"], "EASE trains on one rank only (got 2)"),
    ],
)
def test_what_ranks_cannot_do_ends_in_one_line(capfd, argv, message):
    assert run_together(2, main, argv) == [2, 2]
    assert capfd.readouterr().err.splitlines()[-1] == f"error: {message}"


@pytest.mark.slow
def test_a_killed_rank_ends_in_one_line_and_a_restart_goes_on(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    whole = torchrun(tmp_path / "whole", "-m", "crane_pyg")
    wanted = json.loads(whole.stdout)
    assert (whole.returncode, wanted["world_size"], wanted["epochs"]) == (0, 2, 4)

    ended = torchrun(tmp_path / "ended", str(script))
    assert ended.returncode != 0
    assert ended.stdout == ""
    ours = [line for line in ended.stderr.splitlines() if line.startswith("error:")]
    assert ours == [
        "error: another of the 2 ranks has ended, or did not answer for 300 s: "
        "see the launcher's own report"
    ]

    restarted = torchrun(tmp_path / "restarted", "--max-restarts", "1", str(script))
    assert restarted.returncode == 0, restarted.stderr
    found = json.loads(restarted.stdout)
    assert (found["epochs"], found["test"]) == (4, wanted["test"])
    history = (tmp_path / "restarted" / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in history] == ["epoch", "1.0", "2.0", "3.0", "4.0"]

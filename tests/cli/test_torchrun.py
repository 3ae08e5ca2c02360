import io
import json

import pandas as pd
import pytest

from crane_pyg.cli import main
from tests.together import run_together

CPU = ["--device", "cpu"]


def test_two_ranks_train_and_recommend_and_one_of_them_writes(tmp_path, capfd):
    def work():
        main(["train", "tiny", "--model", "lightgcn", *CPU, "--epochs", "1", "--json", *out])
        main(["recommend", "tiny", "--run", out[1], *CPU, "--k", "3", "--out", table])

    out, table = ["--out", str(tmp_path / "run")], str(tmp_path / "items.csv")
    assert run_together(2, work) == [0, 0]
    (line,) = capfd.readouterr().out.splitlines()
    assert json.loads(line)["world_size"] == 2
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

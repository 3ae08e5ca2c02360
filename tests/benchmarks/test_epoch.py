from benchmarks import epoch
from tests.benchmarks.commands import last_line


def test_an_epoch(capsys, tmp_path):
    epoch.main(["tiny", "--set", "k=5", "--out", str(tmp_path / "epoch.jsonl")])
    record = last_line(capsys)
    assert record["data"] == "tiny"
    assert 0 < record["step_s"] < record["epoch_s"]
    assert 0 < record["first_step_s"] < record["epoch_s"]

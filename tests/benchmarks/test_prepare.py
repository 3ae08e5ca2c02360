import json
import sys

import pytest

from benchmarks import prepare
from tests.benchmarks.commands import last_line


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
def test_prepare(capsys, tmp_path):
    sizes = ["--lines", "900", "--users", "30", "--items", "20", "--words", "4"]
    prepare.main([*sizes, "--out", str(tmp_path / "runs.jsonl")])
    line = last_line(capsys)
    assert "rows read: 900" in line["report"]
    assert "text: tfidf-svd-20, 0 items lack it (all-zero row)" in line["report"]
    assert line["cpu_seconds"] > 0
    assert line["peak_mb"] > 100
    assert json.loads((tmp_path / "runs.jsonl").read_text()) == line

import json

from benchmarks import amazon_raw
from tests.benchmarks.commands import last_line, run


def test_original_files_of_amazon_are_written_and_read(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(amazon_raw, "_in_a_fresh_process", amazon_raw.read)
    root, out = tmp_path / "root", tmp_path / "out.jsonl"
    run(monkeypatch, amazon_raw, root, "--scale", 0.001, "--remove", "--out", out)
    record = last_line(capsys)
    assert record == json.loads(out.read_text())
    for part in ("converted", "read_again"):
        sizes = [record[part][name] for name in ("users", "items", "interactions")]
        assert sizes == [192, 63, 1689]
    assert not root.exists()

import pandas as pd

from crane_pyg.cli import main


def test_from_a_log_to_a_trained_model(tmp_path, capsys):
    rows = [(f"u{u}", f"i{i}") for u in range(20) for i in range(20) if (u + i) % 2]
    pd.DataFrame(rows, columns=["reader", "book"]).to_csv(
        tmp_path / "log.tsv", sep="\t", index=False
    )
    out = str(tmp_path / "out")
    main(
        [
            *("prepare", "--interactions", str(tmp_path / "log.tsv"), "--delimiter", "tab"),
            *("--user-column", "reader", "--item-column", "book", "--out", out),
            *("--k-core", "2", "--split-seed", "3"),
        ]
    )
    shown, printed = capsys.readouterr()[::-1]
    assert "log.tsv: user = reader, item = book" in shown.splitlines()
    assert "interactions: 200 (train 160, val 20, test 20)" in printed.splitlines()
    main(["train", out, "--model", "lightgcn", "--epochs", "1", "--device", "cpu"])
    assert "lightgcn on out" in capsys.readouterr().out

import numpy as np
import pandas as pd
import pytest

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
    assert "log.tsv, 201 lines: user = reader, item = book" in shown.splitlines()
    assert "interactions: 200 (train 160, val 20, test 20)" in printed.splitlines()
    main(["train", out, "--model", "lightgcn", "--epochs", "1", "--device", "cpu"])
    assert "lightgcn on out" in capsys.readouterr().out


def lists(folder):
    """Twenty users in the files of LightGCN's repository."""
    for name, part in (("train", range(0, 8)), ("test", range(8, 10))):
        lines = (" ".join(str(x) for x in (u, *((u + i) % 20 for i in part))) for u in range(20))
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")


def test_a_folder_is_recognised_and_shown(tmp_path, capsys):
    lists(tmp_path)
    out = tmp_path / "out"
    main(["prepare", str(tmp_path), "--out", str(out)])
    printed, shown = capsys.readouterr()
    assert shown.splitlines() == [
        f"{tmp_path}: taken for lightgcn",
        f"{tmp_path.name}, train 160 rows, test 40 rows: user = user, item = item, label = split",
    ]
    assert "interactions: 200 (train 144, val 16, test 40)" in printed.splitlines()
    assert "pairs of train drawn for val, as none was given: 16" in printed.splitlines()
    before = (out / "out.inter").read_bytes()
    again = ["prepare", str(tmp_path), "--from", "lightgcn", "--out", str(out), "--overwrite"]
    main(again)
    assert (out / "out.inter").read_bytes() == before
    main([*again, "--split", "random"])
    assert "(train 160, val 20, test 20)" in capsys.readouterr().out
    np.save(tmp_path / "sound.npy", np.ones((20, 3)))
    (tmp_path / "ids.txt").write_text("\n".join(map(str, range(20))))
    main(
        [
            *(*again, "--features", f"sound={tmp_path / 'sound.npy'}"),
            *("--ids", f"sound={tmp_path / 'ids.txt'}"),
        ]
    )
    assert np.load(out / "sound_feat.npy").shape == (20, 3)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "needs --interactions or the folder of a data set, one of them (got neither)"),
        (["{}", "--interactions", "x.csv"], "one of them (got both)"),
        (["--interactions", "x.csv", "--from", "recbole"], "--from needs the folder of a data set"),
        (["{}", "--from", "recbole"], "must hold an '.inter' file (got none)"),
        (["{}", "--from", "spotify"], "invalid choice: 'spotify'"),
        (["nowhere"], "The data must lie in a folder (got 'nowhere')"),
    ],
)
def test_a_folder_or_a_log(tmp_path, capsys, argv, message):
    lists(tmp_path)
    argv = [word.format(tmp_path) for word in argv]
    with pytest.raises(SystemExit) as stop:
        main(["prepare", *argv, "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()

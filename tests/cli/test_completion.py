import shutil
import subprocess
import sys

import pytest

from crane_pyg.cli import main

TYPED = {
    "crane-pyg com": ["compare", "completion"],
    "crane-pyg train tiny --model ligh": ["lightgcn"],
    "crane-pyg train tiny --monitor Rec": ["Recall@20", "Recall@10"],
    "crane-pyg prepare --from r": ["recbole"],
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_what_is_typed(capsys, tmp_path):
    pytest.importorskip("shtab")
    main(["completion", "bash"])
    (tmp_path / "script").write_text(capsys.readouterr().out)
    (tmp_path / "folder-of-data").mkdir()
    lines = ["source ./script"]
    for typed in [*TYPED, "crane-pyg train folder-"]:
        words = typed.split(" ")
        lines.append(f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; COMPREPLY=()")
        lines.append('_shtab_crane_pyg; echo "${COMPREPLY[@]}"')
    result = subprocess.run(
        ["bash", "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True
    )
    found = [line.split() for line in result.stdout.splitlines()]
    assert [sorted(words) for words in found[:-1]] == [sorted(words) for words in TYPED.values()]
    assert found[-1] == ["folder-of-data"]


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_have_a_script(capsys, shell):
    pytest.importorskip("shtab")
    main(["completion", shell])
    assert "lightgcn" in capsys.readouterr().out


def test_without_shtab_it_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    with pytest.raises(SystemExit) as stop:
        main(["completion", "bash"])
    assert stop.value.code == 2
    assert "pip install 'crane-pyg[completion]'" in capsys.readouterr().err

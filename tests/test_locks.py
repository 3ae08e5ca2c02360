import os
import signal
import subprocess
import sys

import pytest

from crane_pyg.locks import create_locked, hold, remove_unheld


def test_who_holds_is_told_and_the_file_goes(tmp_path):
    path = tmp_path / "new" / ".lock"
    script = (
        "import sys; from pathlib import Path; from crane_pyg.locks import hold\n"
        "with hold(Path(sys.argv[1]), Path('runs')): pass"
    )
    command = [sys.executable, "-c", script, str(path)]
    with hold(path, tmp_path), hold(path, tmp_path):
        other = subprocess.run(command, capture_output=True, text=True)
        assert other.returncode == 1
        assert f"ValueError: 'runs' is in use by process {os.getpid()} since 2" in other.stderr
    assert not path.exists()
    assert subprocess.run(command).returncode == 0


def test_a_lock_is_gone_with_its_process(tmp_path, killed):
    path = tmp_path / ".lock"

    def dies():
        with hold(path, tmp_path):
            os.kill(os.getpid(), signal.SIGKILL)

    killed(dies)
    assert path.exists()
    with hold(path, tmp_path):
        assert path.read_text().startswith(f"{os.getpid()} since ")
    assert not path.exists()


def test_what_is_held_stays_and_the_rest_goes(tmp_path):
    held, left, link = (tmp_path / name for name in ("held", "left", "link"))
    handle = create_locked(held)
    left.write_text("half")
    link.symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    for path in (held, left, link, tmp_path / "pipe"):
        remove_unheld(path)
    assert {path.name for path in tmp_path.iterdir()} <= {"held", "pipe"}
    os.close(handle)
    with pytest.raises(FileExistsError):
        create_locked(held)
    remove_unheld(held)
    assert not held.exists()

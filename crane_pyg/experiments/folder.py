"""A folder of runs: what they are made from, and who is writing to it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crane_pyg.locks import hold
from crane_pyg.seals import read_record, write_record
from crane_pyg.training.identity import differences

LOCK = ".lock"


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Be the only process that writes to a folder of runs, until the block ends.

    Args:
        folder: made if it is not there.

    Raises:
        ValueError: naming the process, if another one does.
    """
    with hold(folder / LOCK, folder):
        yield


def claim_folder(path: Path, identity: Mapping[str, Any]) -> None:
    """Write down what the folder of ``path`` holds; what it holds already must agree.

    A folder where nothing is yet but such a note may become another's.

    Args:
        path: the note.
        identity: what decides the results.

    Raises:
        DamagedFileError: if the note is not what was written.
        ValueError: if an entry of ``identity`` stands there with another value.
    """
    there = read_record(path) if path.exists() and _is_used(path) else {}
    now = json.loads(json.dumps(identity))
    before, after = ({key: x[key] for key in there.keys() & now} for x in (there, now))
    if differing := differences(before, after):
        raise ValueError(
            f"'{path.parent}' holds other runs; choose another folder "
            f"(got, there and now: {differing})"
        )
    write_record(path, there | now)


def _is_used(path: Path) -> bool:
    """Whether there is a file beside the note, hidden ones aside."""
    own = {path.name, LOCK}
    return any(
        found.is_file() and found.name not in own and not found.name.startswith(".")
        for found in path.parent.rglob("*")
    )

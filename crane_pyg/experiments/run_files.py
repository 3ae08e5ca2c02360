"""The files of one run of a grid: written whole, read back only as they were written."""

import json
import logging
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from crane_pyg.seals import DamagedFileError, read_record, read_sealed, write_record
from crane_pyg.training import FitResult
from crane_pyg.training.identity import differences

logger = logging.getLogger(__name__)


def write_run(path: Path, made_from: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    """Note a run that has ended, beside its history.

    Args:
        path: the note; the history has its name and the ending ``.csv``.
        made_from: what decided the result.
        run: the result.
    """
    history = _digest(path.with_suffix(".csv"))
    write_record(path, {"made from": made_from, "history": history, "run": run})


def read_run(path: Path, made_from: Mapping[str, Any], *, weights: bool) -> dict[str, Any] | None:
    """A run as :func:`write_run` noted it.

    Args:
        path: the note.
        made_from: what the result must have been decided by.
        weights: whether there must be a ``.safetensors`` beside it.

    Returns:
        the result; ``None``, to be trained again, if one of the files is missing or damaged.

    Raises:
        ValueError: if it was made from something else.
    """
    model = path.with_suffix(".safetensors")
    if not path.exists() or (weights and not model.exists()):
        return None
    try:
        record = read_record(path)
        history = path.with_suffix(".csv")
        if not history.exists() or _digest(history) != record["history"]:
            raise DamagedFileError(history, "is not the history of its run")
        if weights:
            read_sealed(model)
    except DamagedFileError as error:
        logger.warning("%s: trained again", error)
        return None
    if differing := differences(record["made from"], json.loads(json.dumps(made_from))):
        raise ValueError(f"'{path}' is of another run; remove it (got, there and now: {differing})")
    run: dict[str, Any] = record["run"]
    return run


def train_anew_if_damaged(checkpoint: Path, train: Callable[[], FitResult]) -> FitResult:
    """Train; from the beginning, if the checkpoint is not what was written.

    Args:
        checkpoint: its path.
        train: trains, from the checkpoint if there is one.
    """
    try:
        return train()
    except DamagedFileError as error:
        logger.warning("%s: trained again", error)
        checkpoint.unlink()
        return train()


def describe_error(error: Exception) -> str:
    """What stopped a run, in one line; an error that nobody meant to raise is named."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"


def _digest(history: Path) -> str:
    return f"{zlib.crc32(history.read_bytes()):08x}"

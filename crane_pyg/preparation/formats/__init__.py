"""Data sets as other programs keep them: what is read of each, and how it is recognised."""

from pathlib import Path
from typing import Literal

from crane_pyg.choices import check_choice
from crane_pyg.preparation.formats.base import Format
from crane_pyg.preparation.formats.lightgcn import LightGCNFormat
from crane_pyg.preparation.formats.mmrec import MMRecFormat
from crane_pyg.preparation.formats.movielens import MovieLensFormat
from crane_pyg.preparation.formats.recbole import RecBoleFormat
from crane_pyg.preparation.sources import Sources

FormatName = Literal["recbole", "mmrec", "movielens", "lightgcn"]
FORMATS: dict[FormatName, Format] = {
    "recbole": RecBoleFormat(),
    "mmrec": MMRecFormat(),
    "movielens": MovieLensFormat(),
    "lightgcn": LightGCNFormat(),
}


def recognise_format(folder: Path) -> FormatName:
    """Tells which program's data set a folder holds.

    Args:
        folder (Path): The folder.

    Raises:
        ValueError: if there is no such folder, it looks like none of them, or like several.
    """
    if not folder.is_dir():
        raise ValueError(f"The data must lie in a folder (got '{folder}')")
    found = [name for name, known in FORMATS.items() if known.recognises(folder)]
    if len(found) > 1:
        raise ValueError(
            f"'{folder}' looks like several formats, say which with --from (got {found})"
        )
    if not found:
        known = "; ".join(f"{name}: {layout.looks_like}" for name, layout in FORMATS.items())
        names = sorted(path.name for path in folder.iterdir())[:5]
        raise ValueError(f"'{folder}' must hold one of the formats {known} (got {names})")
    return found[0]


def open_folder(folder: Path, format: FormatName | None = None) -> Sources:
    """Opens a data set that another program keeps, to be prepared.

    Args:
        folder (Path): The folder.
        format (str, optional): The program: ``'recbole'``, ``'mmrec'``, ``'movielens'`` or
            ``'lightgcn'``; recognised by the files if :obj:`None`. (default: :obj:`None`)

    Raises:
        ValueError: if the folder holds no such data set; naming the file that is wrong.
    """
    format = recognise_format(folder) if format is None else format
    check_choice("format", format, FormatName)
    if not folder.is_dir():
        raise ValueError(f"The data must lie in a folder (got '{folder}')")
    return FORMATS[format].sources(folder)

"""Making the folder of a :class:`~crane_pyg.datasets.MultimodalDataset` out of other files."""

from crane_pyg.preparation.formats import FormatName, open_folder, recognise_format
from crane_pyg.preparation.pipeline import Encoding, prepare
from crane_pyg.preparation.report import PreparationReport
from crane_pyg.preparation.selection import Rules
from crane_pyg.preparation.sources import Sources

__all__ = [
    "Encoding",
    "FormatName",
    "PreparationReport",
    "Rules",
    "Sources",
    "open_folder",
    "prepare",
    "recognise_format",
]

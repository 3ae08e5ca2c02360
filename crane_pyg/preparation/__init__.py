"""Making a folder that :class:`~crane_pyg.datasets.MultimodalDataset` reads of anybody's files."""

from crane_pyg.preparation.pipeline import Encoding, prepare
from crane_pyg.preparation.report import PreparationReport
from crane_pyg.preparation.selection import Rules
from crane_pyg.preparation.sources import Sources

__all__ = ["Encoding", "PreparationReport", "Rules", "Sources", "prepare"]

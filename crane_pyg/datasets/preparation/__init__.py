"""From anybody's files to a folder that :class:`~crane_pyg.datasets.MultimodalDataset` reads."""

from crane_pyg.datasets.preparation.pipeline import Encoding, prepare
from crane_pyg.datasets.preparation.selection import Rules
from crane_pyg.datasets.preparation.sources import Sources
from crane_pyg.datasets.preparation.summary import PreparationReport

__all__ = ["Encoding", "PreparationReport", "Rules", "Sources", "prepare"]

"""What is in a data set, and what is wrong with it."""

from crane_pyg.datasets.inspection.inspect import Inspection, inspect_dataset
from crane_pyg.datasets.inspection.text import to_markdown

__all__ = ["Inspection", "inspect_dataset", "to_markdown"]

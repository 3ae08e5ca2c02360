"""Counting what is in a data set, and finding what is wrong with it."""

from crane_pyg.inspection.inspect import Inspection, inspect_dataset
from crane_pyg.inspection.markdown import to_markdown

__all__ = ["Inspection", "inspect_dataset", "to_markdown"]

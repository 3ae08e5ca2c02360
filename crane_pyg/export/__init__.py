"""Turning a trained model into the folder that :mod:`crane_pyg.serving` answers from."""

from crane_pyg.export.export import export_model
from crane_pyg.export.item_texts import ItemTexts, read_item_texts

__all__ = ["ItemTexts", "export_model", "read_item_texts"]

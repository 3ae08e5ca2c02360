"""Turning a trained model into the folder that :mod:`crane_pyg.serving` answers from."""

from crane_pyg.export.export import ItemTexts, export_model

__all__ = ["ItemTexts", "export_model"]

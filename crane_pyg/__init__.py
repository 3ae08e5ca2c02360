"""Multimodal recommendation on graphs, native to PyTorch Geometric."""

__version__ = "0.1.0"

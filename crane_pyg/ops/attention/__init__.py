"""Tanh attention: one door, one file per implementation."""

from crane_pyg.ops.attention.door import tanh_attention

__all__ = ["tanh_attention"]

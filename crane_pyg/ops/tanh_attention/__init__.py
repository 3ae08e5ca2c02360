"""Tanh attention: one door, one file per implementation."""

from crane_pyg.ops.tanh_attention.door import tanh_attention

__all__ = ["tanh_attention"]

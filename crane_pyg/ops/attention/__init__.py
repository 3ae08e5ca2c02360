"""Tanh attention: one door, one file per implementation."""

from crane_pyg.ops.attention.door import tanh_attention
from crane_pyg.ops.attention.error import tanh_attention_error

__all__ = ["tanh_attention", "tanh_attention_error"]

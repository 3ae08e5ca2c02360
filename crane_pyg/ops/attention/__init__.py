"""Tanh attention: one function to call, a file for each implementation."""

from crane_pyg.ops.attention.api import Impl as AttentionImpl
from crane_pyg.ops.attention.api import tanh_attention
from crane_pyg.ops.attention.measured_error import tanh_attention_error

__all__ = ["AttentionImpl", "tanh_attention", "tanh_attention_error"]

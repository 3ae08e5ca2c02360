"""Attention between the modalities of users and items."""

from crane_pyg.nn.attention.rca import RecursiveCrossModalAttention

__all__ = ["RecursiveCrossModalAttention"]

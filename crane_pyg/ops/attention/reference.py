"""The definition of tanh attention, and the oracle of its tests."""

import torch
from torch import Tensor


def reference(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Stores the whole matrix of weights, and lets autograd store it again."""
    weight = torch.tanh(scale * (query @ key.t()))  # [n, m]
    return weight @ value  # [n, dv]

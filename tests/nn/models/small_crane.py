"""A small CRANE."""

import torch

from crane_pyg.nn.models import CRANE

SEMANTIC = {"semantic_profile": "sqrt"}  # without which there is nothing to contrast


def build(data, **kwargs):
    torch.manual_seed(0)
    return CRANE.from_data(data, **{"embedding_dim": 6, "k": 3} | kwargs)

"""A small CRANE, and a batch for it."""

import torch

from crane_pyg.nn.models import CRANE

SEMANTIC = {"semantic_profile": "sqrt"}  # without which there is nothing to contrast


def build(data, **kwargs):
    torch.manual_seed(0)
    return CRANE.from_data(data, **{"embedding_dim": 6, "k": 3} | kwargs)


def batch(data):
    edge_index = data["user", "interacts", "item"].edge_index[:, 3:11]
    return edge_index[0], edge_index[1], (edge_index[1] + 1) % data["item"].num_nodes

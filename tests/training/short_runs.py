"""Runs short enough for a test."""

import torch

from crane_pyg.nn.models import CRANE

SHORT = {"epochs": 5, "batch_size": 64, "lr": 0.01, "progress": False}


def build(data, model=CRANE, **kwargs):
    torch.manual_seed(0)
    if model is CRANE:
        kwargs = {"k": 3, "drop_edge": "bernoulli"} | kwargs
    return model.from_data(data, embedding_dim=8, **kwargs)


def assert_same_state(first, second):
    for (name, a), (_, b) in zip(
        first.state_dict().items(), second.state_dict().items(), strict=True
    ):
        assert torch.equal(a, b), name

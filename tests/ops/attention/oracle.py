"""What every implementation of tanh attention is compared with."""

import torch
from torch import Tensor

from crane_pyg.ops.attention import tanh_attention

NAMES = ["query", "key", "value"]


def make(n, m, d, dv, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = {"query": (n, d), "key": (m, d), "value": (m, dv)}
    return {
        name: torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
        for name, shape in shapes.items()
    }


def dense(inputs, scale=1.0) -> Tensor:
    return torch.tanh(scale * inputs["query"] @ inputs["key"].T) @ inputs["value"]


def output_and_grads(function, inputs, dtype=None, seed=1):
    """The output and each gradient by name, of a random weighting of the output."""
    inputs = {name: x.to(dtype or x.dtype).detach().requires_grad_() for name, x in inputs.items()}
    out = function(inputs)
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(out.shape, generator=generator, dtype=torch.float64).to(out)
    grads = torch.autograd.grad(out, list(inputs.values()), weight)
    return {"output": out.detach()} | dict(zip(inputs, grads, strict=True))


def op(impl, scale=1.0):
    return lambda inputs: tanh_attention(**inputs, scale=scale, impl=impl)

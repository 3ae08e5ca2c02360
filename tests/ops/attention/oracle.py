"""Inputs, the dense definition and tolerances that all tests of tanh attention share."""

import importlib
import os
from types import ModuleType

import pytest
import torch
from torch import Tensor

from crane_pyg.ops import tanh_attention

# Where the kernels run: the interpreter takes the place of a GPU.
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
NAMES = ["query", "key", "value"]
DTYPES = [torch.float32, torch.bfloat16, torch.float16]
SIZES = [
    (1, 63, 5, 3),
    (63, 1, 40, 64),
    (63, 100, 64, 40),
    (100, 63, 100, 100),
    (257, 257, 16, 64),
    (257, 100, 128, 256),
    (100, 257, 256, 128),
]


def import_kernels() -> ModuleType:
    """The Triton kernels, compiled where there is a GPU and interpreted elsewhere."""
    pytest.importorskip("triton", reason="triton is not installed")
    with pytest.MonkeyPatch.context() as environment:
        if DEVICE == "cpu" and "TRITON_INTERPRET" not in os.environ:
            environment.setenv("TRITON_INTERPRET", "1")
        return importlib.import_module("crane_pyg.ops.attention.triton_fused")


def make(n, m, d, dv, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = {"query": (n, d), "key": (m, d), "value": (m, dv)}
    return {
        name: torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
        for name, shape in shapes.items()
    }


def draw(n, m, d, dv, dtype=torch.float32):
    """Rounded to dtype, with logits of order one."""
    inputs = make(n, m, d, dv)
    inputs["query"] *= d**-0.5
    return {name: x.to(dtype).to(DEVICE) for name, x in inputs.items()}


def dense(inputs, scale=1.0) -> Tensor:
    return torch.tanh(scale * inputs["query"] @ inputs["key"].T) @ inputs["value"]


def op(impl, scale=1.0):
    return lambda inputs: tanh_attention(**inputs, scale=scale, impl=impl)


def output_and_grads(function, inputs, dtype=None, seed=1):
    """The output and each gradient by name, of a random weighting of the output."""
    inputs = {name: x.to(dtype or x.dtype).detach().requires_grad_() for name, x in inputs.items()}
    out = function(inputs)
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(out.shape, generator=generator, dtype=torch.float64).to(out)
    grads = torch.autograd.grad(out, list(inputs.values()), weight)
    return {"output": out.detach()} | dict(zip(inputs, grads, strict=True))


def rounding(dtype, many_terms=False):
    """What a correct result may be off, relative to the largest: its own rounding. A few weights
    may have tanh's own error, 4 * 2^-24; a long sum in float32 has an order of its own."""
    return torch.finfo(dtype).eps * (4 if many_terms and dtype == torch.float32 else 1)


def assert_twice_as_good_as_plain_torch(actual, inputs, scale, many_terms=False):
    """Both against float64."""
    expected = output_and_grads(lambda x: dense(x, scale), inputs, torch.float64)
    plain = output_and_grads(lambda x: dense(x, scale), inputs)
    for name in ["output", *NAMES]:
        assert actual[name].dtype == inputs["query"].dtype
        error = (actual[name] - expected[name]).abs().max()
        unit = rounding(inputs["query"].dtype, many_terms) * expected[name].abs().max()
        assert error <= 2 * max((plain[name] - expected[name]).abs().max(), unit), name

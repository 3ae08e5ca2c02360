"""What the interpreter cannot show of tanh attention: many blocks, TF32, large inputs and their
memory, the compiler; and the other implementations on the device.

The kernels at awkward sizes, with strides, empty inputs and NaN: `test_tanh_attention_triton.py`,
which a GPU runs under the same marker.
"""

import contextlib
import importlib

import pytest
import torch

from crane_pyg.nn import RecursiveCrossModalAttention
from crane_pyg.ops import tanh_attention, tanh_attention_error
from tests.gpu.gpu_device import DEVICE, REHEARSAL, needs_cuda, synchronise
from tests.ops.attention.oracle import (
    DTYPES,
    NAMES,
    assert_twice_as_good_as_plain_torch,
    dense,
    draw,
    import_kernels,
    make,
    op,
    output_and_grads,
    rounding,
)

import_kernels()
nystrom_module = importlib.import_module("crane_pyg.ops.attention.nystrom")

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")
LARGE = 320 if REHEARSAL else 20_000
# None is a multiple of 16, for which kernels are compiled anew.
MANY_ROWS = (
    [(130, 300)] if REHEARSAL else [(130, 5_001), (5_001, 130), (40_001, 200), (200, 40_001)]
)


@contextlib.contextmanager
def fp32_precision(setting):
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = setting
    try:
        yield
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


def relative_errors(actual, expected):
    """Of the output and each gradient, the largest error over the largest value."""
    return {
        name: float((actual[name] - expected[name]).abs().max() / expected[name].abs().max())
        for name in ["output", *NAMES]
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [16, 64, 100, 256])
@pytest.mark.parametrize(("n", "m"), MANY_ROWS)
def test_many_blocks_on_either_side(n, m, d, dtype):
    """Few rows may share their work out over what they stream; many do not."""
    inputs = draw(n, m, d, d, dtype)
    actual = output_and_grads(op("triton", 0.7), inputs)
    assert_twice_as_good_as_plain_torch(actual, inputs, scale=0.7, many_terms=True)


@needs_cuda
def test_tf32_is_less_exact_than_ieee_and_both_are_near_to_torch():
    """Cutting operands to TF32, as the kernels may, errs to one side; rounding them does not."""
    inputs = draw(272, 304, 64, 64)
    expected = output_and_grads(dense, inputs, torch.float64)
    error = {}
    for setting in ("ieee", "tf32"):
        with fp32_precision(setting):
            error[setting] = relative_errors(output_and_grads(op("triton"), inputs), expected)
            plain = relative_errors(output_and_grads(dense, inputs), expected)
        for name, value in error[setting].items():
            assert value <= 8 * max(plain[name], torch.finfo(torch.float32).eps), (setting, name)
    for name in error["ieee"]:
        assert error["ieee"][name] < error["tf32"][name] / 16, name


@pytest.mark.parametrize("dtype", DTYPES)
def test_auto_at_a_large_size_against_sampled_rows(dtype):
    """A row of the output, and of each gradient, needs all rows of one side and itself alone."""
    n = LARGE
    inputs = {name: x.requires_grad_() for name, x in draw(n, n, 64, 64, dtype).items()}
    weight = torch.randn(n, 64, generator=torch.Generator().manual_seed(1)).to(inputs["query"])
    tanh_attention(**inputs, impl="triton" if REHEARSAL else "auto").backward(weight)
    rows = torch.arange(128, device=DEVICE) * n // 128
    out = tanh_attention(**inputs, impl="triton" if REHEARSAL else "auto").detach()
    actual = {name: inputs[name].grad[rows] for name in NAMES} | {"output": out[rows]}

    def sampled(dtype):
        full = {name: x.detach().to(dtype) for name, x in inputs.items()}
        some = {name: x[rows].requires_grad_() for name, x in full.items()}
        of_queries = dense(full | {"query": some["query"]})
        of_keys = dense(full | {"key": some["key"], "value": some["value"]})
        (dq,) = torch.autograd.grad(of_queries, some["query"], weight[rows].to(dtype))
        dk, dv = torch.autograd.grad(of_keys, [some["key"], some["value"]], weight.to(dtype))
        return {"output": of_queries.detach(), "query": dq, "key": dk, "value": dv}

    expected, plain = sampled(torch.float64), sampled(dtype)
    exact, rough = relative_errors(actual, expected), relative_errors(plain, expected)
    for name in exact:
        assert exact[name] <= 2 * max(rough[name], rounding(dtype, many_terms=True)), name


@needs_cuda
@pytest.mark.parametrize("impl", ["tiled", "triton"])
def test_exact_attention_never_holds_the_matrix(impl):
    inputs = {name: x.requires_grad_() for name, x in draw(LARGE, LARGE, 64, 64).items()}
    tanh_attention(**inputs, impl=impl).sum().backward()  # compiles
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    tanh_attention(**inputs, impl=impl).sum().backward()
    synchronise()
    assert torch.cuda.max_memory_allocated() - before < 2**27 < LARGE**2  # the matrix has 1.6 GB


@pytest.mark.parametrize("impl", ["triton", "tiled"])
def test_the_same_input_gives_the_same_bits(impl):
    inputs = draw(LARGE // 16, LARGE // 16, 64, 64)
    first, second = (output_and_grads(op(impl), inputs) for _ in range(2))
    for name in first:
        assert torch.equal(first[name], second[name]), name


@pytest.mark.parametrize("impl", ["reference", "tiled"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("n", "m", "d", "dv"), [(1, 63, 5, 3), (257, 100, 128, 256)])
@pytest.mark.usefixtures("poisoned_memory")
def test_error_of_the_others_is_at_most_twice_that_of_plain_torch(impl, dtype, n, m, d, dv):
    inputs = draw(n, m, d, dv, dtype)
    assert_twice_as_good_as_plain_torch(output_and_grads(op(impl, 0.7), inputs), inputs, scale=0.7)


@pytest.mark.parametrize(("impl", "tolerance"), [("linear", 1e-5), ("nystrom", 1e-4)])
@pytest.mark.parametrize(("n", "m"), [(600, 700), (1, 500), (257, 999)])
def test_approximations_equal_those_of_a_cpu_in_float64(impl, tolerance, n, m, monkeypatch):
    """Up to the rounding of float32 and, in a fit, what the ridge makes of it."""
    monkeypatch.setattr(nystrom_module, "CHUNK", 128)
    inputs = {name: x.float() for name, x in make(n, m, 16, 12).items()}
    inputs["query"] *= 0.25
    expected = output_and_grads(op(impl), inputs, torch.float64)
    on_device = {name: x.to(DEVICE) for name, x in inputs.items()}
    actual = output_and_grads(op(impl), on_device)
    for name in expected:
        wanted = expected[name].to(DEVICE)
        error = (actual[name].double() - wanted).norm() / wanted.norm()
        assert error < tolerance, name


def test_measured_error_is_that_of_a_cpu():
    inputs = {name: x.float() for name, x in make(600, 700, 16, 12).items()}
    on_device = {name: x.to(DEVICE) for name, x in inputs.items()}
    expected = tanh_attention_error(**inputs, scale=0.25)
    assert tanh_attention_error(**on_device, scale=0.25) == pytest.approx(expected, rel=1e-2)


def test_auto_takes_the_kernels_above_one_tile():
    def taken(m, dtype=torch.float32):
        query = torch.zeros(4096, 64, device=DEVICE, dtype=dtype, requires_grad=True)
        key = torch.zeros(m, 64, device=DEVICE, dtype=dtype)
        return type(tanh_attention(query, key, key).grad_fn).__name__.lower()

    assert "triton" not in taken(512)
    assert "tiled" not in taken(512)
    assert ("tiled" if REHEARSAL else "triton") in taken(528)
    assert "tiled" in taken(528, torch.float64)


@needs_cuda
def test_a_compiled_module_gives_the_same_output_and_gradients():
    rca = RecursiveCrossModalAttention({"visual": 64, "textual": 64}, impl="triton").to(DEVICE)
    xs = {m: torch.randn(304, d, device=DEVICE) for m, d in rca.channels.items()}

    def output_and_gradients(model):
        rca.zero_grad()
        out = model(xs)
        out.square().sum().backward()
        return out.detach(), {name: p.grad.clone() for name, p in rca.named_parameters()}

    expected = output_and_gradients(rca)
    actual = output_and_gradients(torch.compile(rca, fullgraph=True))
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-4)

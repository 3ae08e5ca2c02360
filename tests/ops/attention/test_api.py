import importlib
import math

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from crane_pyg.ops.attention import tanh_attention
from tests.ops.attention.oracle import NAMES, dense, make, op, output_and_grads

tiled_module = importlib.import_module("crane_pyg.ops.attention.tiled")

IMPLS = ["reference", "tiled"]


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Several tiles in both directions at every size but 1, the last ones ragged."""
    monkeypatch.setattr(tiled_module, "TILE", (32, 48))


@pytest.mark.parametrize("impl", ["auto", *IMPLS])
def test_two_queries_by_hand(impl):
    query = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    key = torch.tensor([[0.5, 0.0], [0.0, 0.25], [1.0, 1.0]])
    value = torch.tensor([[1.0], [10.0], [100.0]])
    t = math.tanh
    expected = [[t(0.5) + 100 * t(1.0)], [10 * t(0.5) + 100 * t(2.0)]]
    torch.testing.assert_close(tanh_attention(query, key, value, impl=impl), torch.tensor(expected))


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("scale", [1.0, 0.3, -2])
@pytest.mark.parametrize(
    ("n", "m", "d", "dv"),
    [
        (1, 1, 1, 1),
        (63, 63, 8, 8),
        (100, 100, 5, 3),
        (257, 257, 16, 16),
        (1, 100, 4, 7),
        (100, 1, 4, 7),
        (257, 63, 64, 3),
        (32, 96, 3, 64),
    ],
)
@pytest.mark.usefixtures("poisoned_memory")
def test_matches_the_dense_definition(impl, scale, n, m, d, dv):
    inputs = make(n, m, d, dv)
    expected = output_and_grads(lambda x: dense(x, scale), inputs)
    actual = output_and_grads(op(impl, scale), inputs)
    for name in ["output", *NAMES]:
        torch.testing.assert_close(actual[name], expected[name], msg=lambda m, name=name: name + m)


@pytest.mark.parametrize("impl", IMPLS)
def test_non_contiguous_inputs_and_gradient(impl):
    inputs = make(100, 63, 8, 5)
    strided = {name: x.T.contiguous().T for name, x in inputs.items()}
    strided["value"] = torch.stack([inputs["value"]] * 2, dim=2)[:, :, 0]
    assert not any(x.is_contiguous() for x in strided.values())
    for x in [*inputs.values(), *strided.values()]:
        x.requires_grad_()
    dense(inputs).sum().backward()
    tanh_attention(**strided, impl=impl).sum().backward()  # sum expands its gradient: no strides
    for name in NAMES:
        torch.testing.assert_close(strided[name].grad, inputs[name].grad)


@pytest.mark.parametrize("impl", IMPLS)
def test_gradcheck(impl):
    inputs = [x.requires_grad_() for x in make(35, 50, 3, 2).values()]
    assert torch.autograd.gradcheck(
        lambda *x: tanh_attention(*x, scale=0.7, impl=impl), inputs, fast_mode=False
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_tiled_error_is_at_most_twice_that_of_plain_torch(dtype):
    rounded = {name: x.to(dtype) for name, x in make(257, 300, 16, 16).items()}
    rounded["query"] *= 0.25
    expected = output_and_grads(dense, rounded, torch.float64)
    plain = output_and_grads(dense, rounded)
    actual = output_and_grads(op("tiled"), rounded)
    for name in ["output", *NAMES]:
        assert actual[name].dtype == dtype
        error = (actual[name] - expected[name]).abs().max()
        assert error <= 2 * (plain[name] - expected[name]).abs().max(), name


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("wanted", [("query",), ("key",), ("value",), ("query", "value"), ()])
def test_gradients_only_where_needed(impl, wanted):
    inputs, expected = make(40, 50, 4, 3), make(40, 50, 4, 3)
    for name in NAMES:
        inputs[name].requires_grad_(name in wanted)
        expected[name].requires_grad_()
    out = tanh_attention(**inputs, impl=impl)
    assert out.requires_grad == bool(wanted)
    if wanted:
        out.sum().backward()
    dense(expected).sum().backward()
    for name in NAMES:
        if name in wanted:
            torch.testing.assert_close(inputs[name].grad, expected[name].grad)
        else:
            assert inputs[name].grad is None


def test_tiled_refuses_a_second_derivative():
    inputs = {name: x.requires_grad_() for name, x in make(4, 5, 2, 2).items()}
    out = tanh_attention(**inputs, impl="tiled").sum()
    with pytest.raises(RuntimeError, match="no second derivative: use impl='reference'"):
        torch.autograd.grad(out, inputs["query"], create_graph=True)


@pytest.mark.parametrize("impl", IMPLS)
def test_nan_reaches_what_depends_on_it_and_nothing_else(impl):
    inputs = make(40, 100, 4, 3)
    inputs["query"][7, 0] = torch.nan
    out = tanh_attention(**inputs, impl=impl)
    assert out[7].isnan().all()
    assert out.isfinite().all(dim=1).sum() == 39
    inputs["value"][99, 1] = torch.nan
    assert tanh_attention(**inputs, impl=impl)[:, 1].isnan().all()


@pytest.mark.parametrize("impl", IMPLS)
def test_zero_rows_of_value_mask_their_keys(impl):
    inputs = make(40, 100, 4, 3)
    kept = torch.arange(100) % 3 > 0
    masked = inputs | {"value": inputs["value"] * kept.view(-1, 1)}
    only = {"query": inputs["query"], "key": inputs["key"][kept], "value": inputs["value"][kept]}
    torch.testing.assert_close(tanh_attention(**masked, impl=impl), dense(only))


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize(
    ("n", "m", "d", "dv"), [(0, 5, 3, 2), (4, 0, 3, 2), (4, 5, 0, 2), (4, 5, 3, 0), (0, 0, 0, 0)]
)
@pytest.mark.usefixtures("poisoned_memory")
def test_empty_inputs(impl, n, m, d, dv):
    inputs = {name: x.requires_grad_() for name, x in make(n, m, d, dv).items()}
    out = tanh_attention(**inputs, impl=impl)
    torch.testing.assert_close(out, torch.zeros(n, dv, dtype=torch.float64))
    out.sum().backward()
    for name in NAMES:
        assert not inputs[name].grad.any()


@pytest.mark.parametrize("impl", IMPLS)
@pytest.mark.parametrize("mixed", [False, True])
def test_autocast_casts_as_scaled_dot_product_attention_does(impl, mixed):
    inputs = make(40, 100, 4, 3, torch.float32)
    if mixed:  # what a linear layer under autocast gives
        inputs["key"] = inputs["key"].bfloat16()

    def under_autocast(function):
        def call(inputs):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return function(inputs)

        return output_and_grads(call, inputs)

    actual = under_autocast(op(impl))
    like = under_autocast(lambda x: torch.nn.functional.scaled_dot_product_attention(*x.values()))
    rounded = {name: x.bfloat16() for name, x in inputs.items()}
    expected = output_and_grads(op(impl), rounded)
    for name in ["output", *NAMES]:
        assert actual[name].dtype == like[name].dtype == inputs.get(name, like["output"]).dtype
        assert torch.equal(actual[name], expected[name].to(actual[name].dtype))


@pytest.mark.parametrize("impl", IMPLS)
def test_autocast_leaves_float64(impl):
    inputs = make(40, 100, 4, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = tanh_attention(**inputs, impl=impl)
    torch.testing.assert_close(out, dense(inputs))
    with (
        torch.autocast("cpu", dtype=torch.bfloat16),
        pytest.raises(
            ValueError, match=r"key must have query's dtype torch.float64 \(got torch.bfloat16"
        ),
    ):
        tanh_attention(**inputs | {"key": inputs["key"].float()}, impl=impl)


@pytest.mark.parametrize("dynamic", [False, True])
def test_tiled_is_one_operator_to_the_compiler(dynamic):
    inputs = make(40, 100, 4, 3)
    compiled = torch.compile(op("tiled", 0.7), fullgraph=True, backend="aot_eager", dynamic=dynamic)
    torch.testing.assert_close(
        output_and_grads(compiled, inputs),
        output_and_grads(lambda x: dense(x, 0.7), inputs),
    )


class LargestOutput(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        sizes = [
            x.untyped_storage().nbytes() // x.itemsize
            for x in tree_leaves(out)
            if isinstance(x, Tensor)
        ]
        self.numel = max([self.numel, *sizes])
        return out


def test_tiled_never_holds_the_matrix():
    inputs = list(make(257, 300, 8, 8).values())
    with LargestOutput() as matrix:
        tanh_attention(*inputs, impl="reference")
    with LargestOutput() as forward:
        tiled_module.forward(*inputs, 1.0)
    with LargestOutput() as backward:
        tiled_module.backward(torch.ones(257, 8, dtype=torch.float64), *inputs, 1.0, [True] * 3)
    assert matrix.numel == 257 * 300
    assert forward.numel == 300 * 8
    assert backward.numel == 300 * 8


def test_auto_takes_the_reference_within_one_tile():
    def is_tiled(n, m):
        query = torch.zeros(n, 2, requires_grad=True)
        out = tanh_attention(query, torch.zeros(m, 2), torch.zeros(m, 2))
        return "tiled" in type(out.grad_fn).__name__

    assert not is_tiled(4096, 512)
    assert not is_tiled(2, 1000)
    assert is_tiled(4096, 513)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query": torch.zeros(4)}, r"query must be 2-dimensional \(got shape \(4,\)\)"),
        ({"value": torch.zeros(1, 5, 2)}, r"value must be 2-dimensional"),
        ({"query": torch.zeros(4, 3).long()}, r"query must be floating point \(got torch.int64\)"),
        ({"key": torch.zeros(5, 3).double()}, r"key must have query's dtype torch.float32 \(got"),
        ({"value": torch.zeros(5, 2, device="meta")}, r"value must be on query's device cpu \(got"),
        ({"key": torch.zeros(5, 4)}, r"equally many channels \(got 3 and 4\)"),
        ({"value": torch.zeros(6, 2)}, r"equally many rows \(got 5 and 6\)"),
        ({"scale": float("nan")}, r"scale must be a finite number \(got nan\)"),
        ({"scale": float("inf")}, r"scale must be a finite number \(got inf\)"),
        ({"scale": torch.ones(1)}, r"scale must be a finite number"),
        (
            {"impl": "fast"},
            r"impl must be one of 'auto', 'reference', 'tiled', .* \(got 'fast'\)",
        ),
    ],
)
def test_errors(change, message):
    inputs = make(4, 5, 3, 2, torch.float32) | change
    with pytest.raises(ValueError, match=message):
        tanh_attention(**inputs)

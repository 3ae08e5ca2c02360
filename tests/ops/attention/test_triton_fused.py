"""On the GPU where there is one, in Triton's interpreter elsewhere."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch

from crane_pyg.nn import RecursiveCrossModalAttention
from crane_pyg.ops.attention import api, tanh_attention
from tests.ops.attention.oracle import (
    DEVICE,
    DTYPES,
    NAMES,
    SIZES,
    assert_twice_as_good_as_plain_torch,
    dense,
    draw,
    import_kernels,
    make,
    op,
    output_and_grads,
)

triton = pytest.importorskip("triton", reason="triton is not installed")
fused = import_kernels()

ROOT = Path(__file__).parents[3]
needs_gpu = pytest.mark.skipif(DEVICE == "cpu", reason="needs a CUDA device")
# NumPy, not the kernels, warns of what IEEE arithmetic defines.
pytestmark = [
    pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning"),
    *[pytest.mark.gpu] * (DEVICE == "cuda"),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "m", "d", "dv"), SIZES)
@pytest.mark.usefixtures("poisoned_memory")
def test_error_is_at_most_twice_that_of_plain_torch(n, m, d, dv, dtype):
    inputs = draw(n, m, d, dv, dtype)
    assert_twice_as_good_as_plain_torch(
        output_and_grads(op("triton", 0.7), inputs), inputs, 0.7, many_terms=DEVICE == "cuda"
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 16, 250])
def test_one_pair(d, dtype):
    inputs = draw(1, 1, d, d, dtype)
    actual = output_and_grads(op("triton"), inputs)
    expected = output_and_grads(dense, inputs, torch.float64)
    for name in ["output", *NAMES]:
        torch.testing.assert_close(actual[name], expected[name].to(dtype))


@needs_gpu
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "m", "d", "dv"), SIZES[::3])
def test_hardware_tanh(n, m, d, dv, dtype):
    inputs = draw(n, m, d, dv, dtype)
    actual = output_and_grads(op("triton_approx"), inputs)
    expected = output_and_grads(dense, inputs, torch.float64)
    for name in ["output", *NAMES]:
        error = (actual[name] - expected[name]).abs().max() / expected[name].abs().max()
        assert error <= 2**-8 + 4 * torch.finfo(dtype).eps, name


def test_tanh_is_accurate_at_all_magnitudes():
    """A key a power of two, its value a row of the identity: the output is tanh of each logit.

    Below 2^-100 the smaller parts in bfloat16 of a float32 vanish.
    """
    exponent = torch.arange(-100 if DEVICE == "cuda" else -120, 8, device=DEVICE)
    mantissa = 1 + torch.rand(4096, 1, dtype=torch.float64).to(DEVICE)
    mantissa[::2] *= -1
    query, key = mantissa.float(), (2.0**exponent).view(-1, 1)
    out = tanh_attention(query, key, torch.eye(exponent.numel(), device=DEVICE), impl="triton")
    exact = torch.tanh(query.double() * key.double().T)
    error = ((out - exact) / exact).abs().max()
    assert error <= (1e-6 if DEVICE == "cuda" else 2.5e-7)


@pytest.mark.skipif(DEVICE == "cuda", reason="an infinite float32 has no parts in bfloat16")
def test_limits_of_tanh():
    query = torch.tensor([[torch.inf], [-torch.inf], [torch.nan], [0.0]], device=DEVICE)
    out = tanh_attention(query, torch.ones(128, 1), torch.eye(128), impl="triton")
    limits = torch.tensor([[1.0], [-1.0], [torch.nan], [0.0]])
    torch.testing.assert_close(out, limits.expand_as(out), rtol=0, atol=0, equal_nan=True)


@pytest.mark.skipif(DEVICE == "cuda", reason="a GPU's tests have enough rows")
def test_long_sums_in_float32_are_added_up_in_runs(monkeypatch):
    monkeypatch.setattr(fused, "RUN", 128)
    inputs = draw(300, 500, 16, 24)
    assert_twice_as_good_as_plain_torch(output_and_grads(op("triton"), inputs), inputs, scale=1.0)


def test_nan_reaches_what_depends_on_it_and_nothing_else():
    inputs = draw(140, 150, 20, 3)
    inputs["query"][7, 0] = torch.nan
    inputs["value"][149, 1] = torch.nan
    for x in inputs.values():
        x.requires_grad_()
    out = tanh_attention(**inputs, impl="triton")
    assert out[7].isnan().all()
    assert out[:, 1].isnan().all()
    assert out.isnan().sum() == 3 + 140 - 1
    out.sum().backward()
    assert inputs["key"].grad.isnan().all()
    assert inputs["value"].grad.isnan().all()


@pytest.mark.parametrize(
    ("n", "m", "d", "dv"), [(0, 5, 3, 2), (4, 0, 3, 2), (4, 5, 0, 2), (4, 5, 3, 0), (0, 0, 0, 0)]
)
@pytest.mark.usefixtures("poisoned_memory")
def test_empty_inputs(n, m, d, dv):
    inputs = {name: x.requires_grad_() for name, x in draw(n, m, max(d, 1), dv).items()}
    inputs = {k: x[:, :d] if k != "value" else x for k, x in inputs.items()}
    for x in inputs.values():
        x.retain_grad()
    out = tanh_attention(**inputs, impl="triton")
    torch.testing.assert_close(out, torch.zeros(n, dv, device=DEVICE))
    out.sum().backward()
    for name in NAMES:
        assert inputs[name].grad.shape == inputs[name].shape
        assert not inputs[name].grad.any()


def test_non_contiguous_inputs_and_gradient():
    inputs = draw(100, 63, 24, 5)
    strided = {name: x.T.contiguous().T for name, x in inputs.items()}
    strided["value"] = torch.stack([inputs["value"]] * 2, dim=2)[:, :, 0]
    assert not any(x.is_contiguous() for x in strided.values())
    for x in [*inputs.values(), *strided.values()]:
        x.requires_grad_()
    dense(inputs).sum().backward()
    tanh_attention(**strided, impl="triton").sum().backward()  # sum's gradient has no strides
    for name in NAMES:
        torch.testing.assert_close(strided[name].grad, inputs[name].grad)


@pytest.mark.parametrize("wanted", [("query",), ("key",), ("value",), ("query", "value"), ()])
def test_gradients_only_where_needed(wanted, monkeypatch):
    launched = []
    launch = fused._launch

    def record(work, *args, **flags):
        launched.append((work, *flags.values()))
        return launch(work, *args, **flags)

    monkeypatch.setattr(fused, "_launch", record)
    inputs, expected = draw(40, 50, 4, 3), draw(40, 50, 4, 3)
    for name in NAMES:
        inputs[name].requires_grad_(name in wanted)
        expected[name].requires_grad_()
    out = tanh_attention(**inputs, impl="triton")
    assert out.requires_grad == bool(wanted)
    if wanted:
        out.sum().backward()
    keys = [("key", "key" in wanted, "value" in wanted)]
    passes = [("query",)] * ("query" in wanted) + keys * any(keys[0][1:])
    assert launched == [("forward",), *passes]
    dense(expected).sum().backward()
    for name in NAMES:
        if name in wanted:
            torch.testing.assert_close(inputs[name].grad, expected[name].grad)
        else:
            assert inputs[name].grad is None


def test_second_derivative_is_refused():
    inputs = {name: x.requires_grad_() for name, x in draw(4, 5, 2, 2).items()}
    out = tanh_attention(**inputs, impl="triton").sum()
    with pytest.raises(RuntimeError, match="no second derivative: use impl='reference'"):
        torch.autograd.grad(out, inputs["query"], create_graph=True)


@pytest.mark.parametrize("impl", ["tiled", "triton"])
@pytest.mark.parametrize("autocast", [False, True])
def test_compiled_model_has_one_graph(impl, autocast):
    rca = RecursiveCrossModalAttention({"visual": 5, "textual": 3}, impl=impl).to(DEVICE)
    xs = {m: torch.randn(20, d, device=DEVICE) for m, d in rca.channels.items()}

    def output_and_grads(model):
        rca.zero_grad()
        with torch.autocast(DEVICE, dtype=torch.bfloat16, enabled=autocast):
            out = model(xs)
        out.float().square().sum().backward()
        return out, {name: p.grad for name, p in rca.named_parameters()}

    compiled = torch.compile(rca, fullgraph=True, backend="aot_eager")
    tolerance = {"rtol": 2**-6, "atol": 2**-6} if autocast else {}
    torch.testing.assert_close(output_and_grads(compiled), output_and_grads(rca), **tolerance)


def test_autocast():
    inputs = draw(40, 100, 20, 3)
    inputs["key"] = inputs["key"].bfloat16()

    def call(inputs):
        with torch.autocast(DEVICE, dtype=torch.bfloat16):
            return op("triton")(inputs)

    actual = output_and_grads(call, inputs)
    expected = output_and_grads(op("triton"), inputs, torch.bfloat16)
    for name in ["output", *NAMES]:
        assert actual[name].dtype == inputs.get(name, expected["output"]).dtype
        assert torch.equal(actual[name], expected[name].to(actual[name].dtype))


def test_auto_takes_the_kernels_on_a_gpu_only():
    def taken(**options):
        query = torch.zeros(4097, 2, device=DEVICE, requires_grad=True, **options)
        key = torch.zeros(1024, 2, device=DEVICE, **options)
        return type(tanh_attention(query, key, key).grad_fn).__name__

    assert ("triton" if DEVICE == "cuda" else "tiled") in taken()
    assert "tiled" in taken(dtype=torch.float64)


def test_products_of_float32_follow_the_setting_of_torch(monkeypatch):
    monkeypatch.setattr(fused, "INTERPRETED", False)
    matmul = torch.backends.cuda.matmul
    before = matmul.fp32_precision
    try:
        for setting, expected in {"ieee": "bf16x6", "tf32": "bf16x3"}.items():
            matmul.fp32_precision = setting
            assert fused.precision(torch.float32) == expected
            assert fused.precision(torch.float16) == "tf32"  # has no say
    finally:
        matmul.fp32_precision = before


@pytest.mark.parametrize(
    ("change", "impl", "message"),
    [
        ({}, "triton", r"float32, bfloat16 or float16 \(got torch.float64\)"),
        ({"value": torch.zeros(5, 257)}, "triton", r"at most 256 channels \(got 257\)"),
        ({"value": torch.zeros(5, 2)}, "triton_approx", r"compute capability 7.5 .* \(got cpu\)"),
    ],
)
def test_errors(change, impl, message):
    inputs = make(4, 5, 3, 2) | change
    inputs = {name: x.to(inputs["value"].dtype) for name, x in inputs.items()}
    with pytest.raises(ValueError, match=f"impl='{impl}' needs .*{message}"):
        tanh_attention(**inputs, impl=impl)


def test_neither_falls_back(monkeypatch):
    inputs = make(4, 5, 3, 2, torch.float32)
    monkeypatch.setattr(fused, "INTERPRETED", False)
    with pytest.raises(ValueError, match=r"needs CUDA tensors, or TRITON_INTERPRET=1 \(got cpu\)"):
        tanh_attention(**inputs, impl="triton")
    monkeypatch.setattr(api, "_HAS_TRITON", False)
    with pytest.raises(ValueError, match="needs the package triton, which is not installed"):
        tanh_attention(**inputs, impl="triton")


def compile_for(capability, dtype, d, approx):
    """Registers, stack and shared memory by pass and tile, compiled without a GPU."""
    from triton.backends.compiler import GPUTarget

    width, half = max(fused.LEAST_WIDTH, triton.next_power_of_2(d)), dtype != "fp32"
    torch_dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[dtype]
    for work, kernel in fused.KERNELS.items():
        tile = fused.choose_tile(work, torch_dtype, width, divmod(capability, 10))
        constants = {"WIDTH": width, "KEPT": tile.kept, "STREAMED": tile.streamed}
        constants |= {"PRECISION": fused.precision(torch_dtype), "HARDWARE": approx or half}
        constants |= {"RUN": 0 if half else fused.RUN, "NEED_K": True, "NEED_V": True}
        constants = {k: v for k, v in constants.items() if k in kernel.arg_names}
        kept = ("key", "value") if work == "key" else ("query", "grad_out")

        def kind(name, constants=constants, kept=kept, tile=tile):
            if name in constants:
                return "constexpr"
            if name in ("n", "m", "scale"):
                return "fp32" if name == "scale" else "i32"
            rows = tile.kept if name in kept else tile.streamed
            pointer = name.endswith("ptr")
            return f"*{dtype}" if pointer else f"tensordesc<{dtype}[{rows}, {width}]>"

        types = {name: kind(name) for name in kernel.arg_names}
        compiled = triton.compile(
            triton.compiler.ASTSource(kernel, types, constants),
            target=GPUTarget("cuda", capability, 32),
            options={"num_warps": tile.warps, "num_stages": tile.stages},
        )
        assert ("tanh.approx.f32" in compiled.asm["ptx"]) == constants["HARDWARE"]
        yield work, str(tile), *resources(compiled)


def resources(compiled):
    cuobjdump = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        usage = subprocess.check_output([cuobjdump, "-res-usage", file.name], text=True)
    registers, stack = re.search(r"REG:(\d+) STACK:(\d+)", usage).groups()
    return int(registers), int(stack), compiled.metadata.shared


@pytest.mark.slow
@pytest.mark.parametrize(
    ("capability", "dtype", "d", "approx", "shared"),
    [
        (90, "bf16", 64, False, 227),
        (90, "bf16", 250, False, 227),
        (90, "fp16", 5, False, 227),
        (90, "fp32", 64, False, 227),
        (90, "fp32", 64, True, 227),
        (80, "bf16", 64, False, 99),
        (80, "bf16", 250, False, 99),
        (80, "fp32", 64, False, 99),
        (100, "bf16", 64, False, 227),
    ],
)
def test_compiles_ahead_of_time(capability, dtype, d, approx, shared):
    """In a process of its own: here the kernels may be the interpreter's."""
    args = (capability, dtype, d, approx)
    script = "import json; from tests.ops.attention.test_triton_fused import compile_for; "
    script += f"print(json.dumps([*compile_for{args}]))"
    environment = os.environ | {"TRITON_INTERPRET": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    rows = json.loads(subprocess.check_output(command, env=environment, text=True))
    assert {row[0] for row in rows} == {"forward", "query", "key"}
    for row in rows:
        print(*row)
        *_, stack, bytes_shared = row
        assert bytes_shared <= shared * 1024, row
        if d <= 64:  # wider blocks spill in every shape; what that costs is measured
            assert stack <= (1024 if dtype == "fp32" else 0), row

"""The approximations: never chosen by 'auto', each with an error that is known."""

import importlib

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.ops import tanh_attention, tanh_attention_error

nystrom_module = importlib.import_module("crane_pyg.ops.attention.nystrom")

NAMES = ["query", "key", "value"]
APPROXIMATE = ["linear", "nystrom"]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Several chunks at most sizes, the last one ragged."""
    monkeypatch.setattr(nystrom_module, "CHUNK", 128)


def planted(n=600, m=700, d=16, dv=12, clusters=20, noise=0.3, logit=2.0, dtype=torch.float64):
    """Unit rows around cluster centres, as item features are."""
    generator = torch.Generator().manual_seed(0)

    def rows(count, width):
        center = torch.randn(clusters, width, generator=generator, dtype=torch.float64)
        label = torch.randint(clusters, (count,), generator=generator)
        shape = count, width
        jitter = noise * torch.randn(shape, generator=generator, dtype=torch.float64)
        return F.normalize(center[label] + jitter, dim=1)

    inputs = {"query": rows(n, d), "key": logit * rows(m, d), "value": rows(m, dv)}
    return {name: x.to(dtype) for name, x in inputs.items()}


def output_and_grads(impl, inputs, scale=1.0):
    inputs = {name: x.detach().requires_grad_() for name, x in inputs.items()}
    out = tanh_attention(**inputs, scale=scale, impl=impl)
    weight = torch.linspace(-1, 2, out.numel(), dtype=out.dtype).cos().view(out.shape)
    grads = torch.autograd.grad(out, list(inputs.values()), weight)
    return {"output": out.detach()} | dict(zip(inputs, grads, strict=True))


def relative(actual, expected):
    return float((actual.double() - expected.double()).norm() / expected.double().norm())


def errors(impl, inputs):
    expected = output_and_grads("tiled", {name: x.double() for name, x in inputs.items()})
    actual = output_and_grads(impl, inputs)
    return {name: relative(actual[name], expected[name]) for name in expected}


def test_linear_by_hand():
    query = torch.tensor([[1.0, 2.0]])
    key = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    value = torch.tensor([[1.0], [10.0]])
    out = tanh_attention(query, key, value, scale=0.5, impl="linear")
    assert out.tolist() == [[0.5 * (1 * 1 + 1.5 * 10)]]


@pytest.mark.parametrize("logit", [0.1, 1.0, 8.0])
def test_linear_keeps_the_bound_that_the_function_states(logit):
    inputs = planted(logit=logit)
    s = inputs["query"] @ inputs["key"].T
    error = tanh_attention(**inputs, impl="linear") - tanh_attention(**inputs, impl="tiled")
    bound = s.abs().max() ** 2 / 3 * (s.abs() @ inputs["value"].norm(dim=1))
    assert (error.norm(dim=1) <= bound).all()


def test_linear_gradcheck():
    inputs = [x.requires_grad_() for x in planted(n=7, m=9, d=3, dv=2).values()]
    assert torch.autograd.gradcheck(
        lambda *x: tanh_attention(*x, scale=0.7, impl="linear"), inputs, fast_mode=False
    )


def test_linear_in_half_precision_does_not_overflow():
    ones = torch.ones(70_000, 4, dtype=torch.float16)
    out = tanh_attention(ones[:3], 0.01 * ones, ones, scale=0.1, impl="linear")
    torch.testing.assert_close(out, torch.full_like(out, 280.0), rtol=1e-2, atol=0)


def test_nystrom_of_few_distinct_rows_is_exact_up_to_the_ridge():
    """Values only: at twenty distinct points a function says little of its derivative."""
    linear, nystrom = (errors(impl, planted(noise=0.0)) for impl in ("linear", "nystrom"))
    for name in ("output", "value"):
        assert nystrom[name] < 2e-3 < 0.1 < linear[name], name


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nystrom_beats_the_linear_term_in_output_and_every_gradient(dtype):
    inputs = planted(dtype=dtype)
    linear, nystrom = errors("linear", inputs), errors("nystrom", inputs)
    for name in nystrom:
        assert nystrom[name] < linear[name] / 4, name


def test_nystrom_improves_with_landmarks(monkeypatch):
    inputs = planted()
    steps = []
    for landmarks in (16, 64, 256):
        monkeypatch.setattr(nystrom_module, "NUM_LANDMARKS", landmarks)
        steps.append(errors("nystrom", inputs))
    for name in steps[0]:
        assert steps[0][name] > 1.5 * steps[1][name] > 2 * steps[2][name], name


@pytest.mark.parametrize("logit", [1e-30, 1e-6, 1e-4, 1e-2])
def test_nystrom_leaves_rounding_noise_alone(logit):
    """Where tanh(s) - s is below what float32 resolves, a fit to it would blow up."""
    inputs = planted(logit=logit, dtype=torch.float32)
    for name, error in errors("nystrom", inputs).items():
        assert error < 1e-5, name


@pytest.mark.parametrize("logit", [30.0, 1e4])
def test_saturated_logits_give_a_finite_answer_and_gradient(logit):
    for x in output_and_grads("nystrom", planted(logit=logit, dtype=torch.float32)).values():
        assert x.isfinite().all()


@pytest.mark.parametrize("impl", APPROXIMATE)
@pytest.mark.parametrize(
    ("n", "m", "d", "dv"),
    [(1, 1, 1, 1), (1, 500, 4, 3), (500, 1, 4, 3), (257, 257, 1, 7), (999, 258, 64, 1)],
)
def test_awkward_sizes(impl, n, m, d, dv):
    inputs = planted(n, m, d, dv, logit=0.1)
    for name, error in errors(impl, inputs).items():
        assert error < 0.03, name


@pytest.mark.parametrize(("n", "m"), [(256, 900), (900, 256), (7, 3)])
def test_nystrom_is_exact_where_few_rows_make_it_cheap(n, m):
    assert max(errors("nystrom", planted(n, m, logit=8.0)).values()) < 1e-12


@pytest.mark.parametrize("impl", APPROXIMATE)
@pytest.mark.parametrize(
    ("n", "m", "d", "dv"), [(0, 5, 3, 2), (4, 0, 3, 2), (4, 5, 0, 2), (4, 5, 3, 0), (0, 0, 0, 0)]
)
def test_empty_inputs(impl, n, m, d, dv):
    shapes = {"query": (n, d), "key": (m, d), "value": (m, dv)}
    inputs = {name: torch.ones(shape, requires_grad=True) for name, shape in shapes.items()}
    out = tanh_attention(**inputs, impl=impl)
    torch.testing.assert_close(out, torch.zeros(n, dv))
    out.sum().backward()
    for x in inputs.values():
        assert not x.grad.any()


@pytest.mark.parametrize("impl", APPROXIMATE)
def test_zero_rows_mask_queries_and_keys(impl):
    inputs = planted()
    inputs["query"][::2] = 0
    inputs["value"][::3] = 0
    inputs["key"][::5] = 0
    out = output_and_grads(impl, inputs)
    assert not out["output"][::2].any()
    exact = output_and_grads("tiled", inputs)
    assert relative(out["output"], exact["output"]) < (0.5 if impl == "linear" else 0.05)


@pytest.mark.parametrize("impl", APPROXIMATE)
@pytest.mark.parametrize("wanted", [("query",), ("key",), ("value",), ("query", "value"), ()])
def test_gradients_only_where_needed(impl, wanted):
    inputs = planted(n=300, m=310)
    full = output_and_grads(impl, inputs)
    for name in NAMES:
        inputs[name].requires_grad_(name in wanted)
    out = tanh_attention(**inputs, impl=impl)
    assert out.requires_grad == bool(wanted)
    if wanted:
        out.backward(torch.linspace(-1, 2, out.numel(), dtype=out.dtype).cos().view(out.shape))
    for name in NAMES:
        if name in wanted:
            torch.testing.assert_close(inputs[name].grad, full[name])
        else:
            assert inputs[name].grad is None


@pytest.mark.parametrize("impl", APPROXIMATE)
def test_nan_reaches_what_depends_on_it(impl):
    inputs = planted()
    inputs["value"][3] = torch.nan
    assert tanh_attention(**inputs, impl=impl).isnan().all()
    inputs = planted()
    inputs["query"][7] = torch.nan
    assert tanh_attention(**inputs, impl=impl)[7].isnan().all()


@pytest.mark.parametrize("impl", APPROXIMATE)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_costs_its_rounding_only(impl, dtype):
    inputs = planted(logit=1.0, dtype=dtype)
    for name, error in errors(impl, inputs).items():
        wide = errors(impl, {name: x.float() for name, x in inputs.items()})
        assert error < wide[name] + 2 * torch.finfo(dtype).eps, name


@pytest.mark.parametrize("impl", APPROXIMATE)
def test_strided_inputs_and_repetition(impl):
    inputs = planted(n=300, m=310)
    strided = {name: x.T.contiguous().T for name, x in inputs.items()}
    first, second = output_and_grads(impl, inputs), output_and_grads(impl, strided)
    for name in first:
        torch.testing.assert_close(first[name], second[name])
        assert torch.equal(first[name], output_and_grads(impl, inputs)[name])


def test_nystrom_has_no_second_derivative():
    inputs = {name: x.requires_grad_() for name, x in planted().items()}
    out = tanh_attention(**inputs, impl="nystrom").sum()
    with pytest.raises(RuntimeError, match="no second derivative: use impl='reference'"):
        torch.autograd.grad(out, inputs["query"], create_graph=True)


def test_the_estimated_error_is_the_error():
    inputs = planted(n=3000, dtype=torch.float32)
    for impl in APPROXIMATE:
        true = errors(impl, inputs)["output"]
        assert tanh_attention_error(**inputs, impl=impl) == pytest.approx(true, rel=0.15)
        everything = tanh_attention_error(**inputs, impl=impl, num_samples=3000)
        assert everything == pytest.approx(true, rel=1e-3)
    assert tanh_attention_error(**inputs, impl="tiled") < 1e-5


def test_the_estimated_error_of_zeros_and_bad_input():
    zeros = torch.zeros(5, 3)
    assert tanh_attention_error(zeros, zeros, zeros, impl="linear") == 0
    with pytest.raises(ValueError, match="num_samples must be at least 1 \\(got 0\\)"):
        tanh_attention_error(zeros, zeros, zeros, num_samples=0)


@pytest.mark.parametrize("impl", APPROXIMATE)
def test_compiles_in_one_graph(impl):
    inputs = planted(n=300, m=310)
    expected = output_and_grads(impl, inputs)
    torch.compiler.reset()
    compiled = torch.compile(
        lambda **x: tanh_attention(**x, impl=impl), fullgraph=True, backend="aot_eager"
    )
    inputs = {name: x.requires_grad_() for name, x in inputs.items()}
    out = compiled(**inputs)
    out.backward(torch.linspace(-1, 2, out.numel(), dtype=out.dtype).cos().view(out.shape))
    torch.testing.assert_close(out.detach(), expected["output"])
    for name in NAMES:
        torch.testing.assert_close(inputs[name].grad, expected[name])

"""Attention, exact and approximate, against the card's matrix products and its tanh units."""

from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor

from benchmarks.attention_input import exact_rows, planted, relative_error, sampled_rows
from benchmarks.gpu import limits
from benchmarks.gpu.rulers import products_in
from benchmarks.gpu.session import Record, Session
from benchmarks.gpu.timing import forget, peak_mb, timed
from crane_pyg.ops import tanh_attention

FUSED = ("triton", "triton_approx")
APPROXIMATE = ("linear", "nystrom")
NUM_SAMPLES = 512

Labels = tuple[str, str, int, int]  # impl, precision, n, d


def run(session: Session) -> None:
    """What matters most first: the time may not suffice for all."""
    for impl, precision, n, d in cases(session):
        labels = {"impl": impl, "precision": precision, "n": n, "d": d}
        session.attempt("attention", labels, measure, session, impl, precision, n, d)
    planted_on.cache_clear()
    forget(session.device)


def cases(session: Session) -> Iterator[Labels]:
    sizes = session.sizes
    for d in sizes.channels:
        for precision in ("bfloat16", "tf32", "float32"):
            impls = FUSED[:1] if precision == "bfloat16" else FUSED  # in half they are one
            for impl in impls:
                yield from ((impl, precision, n, d) for n in sizes.rows)
            yield "tiled", precision, min(sizes.rows), d
        yield "triton", "float16", sizes.half_rows, d


def run_approximate(session: Session) -> None:
    for n in session.sizes.linear_rows:
        for impl in APPROXIMATE:
            case = (impl, "float32", n, session.sizes.channels[0])
            labels = dict(zip(("impl", "precision", "n", "d"), case, strict=True))
            session.attempt("approximate", labels, measure, session, *case)
    planted_on.cache_clear()
    forget(session.device)


def measure(session: Session, impl: str, precision: str, n: int, d: int) -> Record:
    """Forward, and forward with backward."""
    device, seconds = session.device, session.sizes.seconds
    with products_in(precision) as dtype:
        plain = [x.to(dtype) for x in planted_on(n, d, device)]
        leaves = [x.clone().requires_grad_() for x in plain]
        grad_out = torch.ones_like(plain[0])

        def forward() -> Tensor:
            return tanh_attention(*plain, impl=impl)

        def train() -> object:
            return torch.autograd.grad(tanh_attention(*leaves, impl=impl), leaves, grad_out)

        record = timed(forward, device, seconds).record("forward")
        record |= timed(train, device, seconds).record("training")
        record |= {"forward_peak_mb": peak_mb(forward, device)}
        record |= {"training_peak_mb": peak_mb(train, device)}
        record |= accuracy(plain, forward())
    if impl in FUSED:
        record |= {"tiles": tiles(plain)}
    return (
        record if impl in APPROXIMATE else record | speeds(record, session.rates, precision, n, d)
    )


def speeds(
    record: Record, rates: dict[str, float], precision: str, n: int, d: int, heads: int = 1
) -> Record:
    """TFLOP/s, and shares of what the rulers allow; n rows on either side."""
    product, limit = rates[precision], limits.product_rate(precision, rates)
    tanh = rates.get("packed tanh" if "16" in precision else "tanh", float("inf"))
    found = {}
    for part, work in (("forward", limits.FORWARD), ("training", limits.TRAINING)):
        flops, seconds = heads * work.total_flops(n, n, d), record[f"{part}_s"]
        least = heads * work.seconds(n, n, d, limit, tanh)
        found |= {
            f"{part}_tflops": flops / seconds / 1e12,
            f"{part}_of_products": flops / seconds / product,
            f"{part}_of_limit": least / seconds,
        }
    two = heads * limits.TWO_PASSES.seconds(n, n, d, limit, tanh)
    return found | {"training_of_two_passes": two / record["training_s"]}


@lru_cache
def planted_on(n: int, d: int, device: torch.device) -> tuple[Tensor, ...]:
    """RCA's first query, key and value."""
    return tuple(x.to(device) for x in planted(n, d)[:3])


def accuracy(inputs: list[Tensor], out: Tensor) -> Record:
    """Of some rows against float64, and beside plain PyTorch's in the same precision."""
    query, key, value = inputs
    rows = sampled_rows(query.size(0))[:NUM_SAMPLES].to(query.device)
    exact = exact_rows(query[rows], key, value)
    error = relative_error(out[rows], exact)
    torchs = relative_error(tanh_attention(query[rows], key, value, impl="reference"), exact)
    return {"relative_error": error, "error_to_torch": error / torchs}


def tiles(inputs: list[Tensor]) -> dict[str, str]:
    """The shape of each pass: rows kept, rows streamed, warps, stages."""
    from crane_pyg.ops.attention.triton_fused import KERNELS, LEAST_WIDTH, choose_tile

    query, _, value = inputs
    channels = max(query.size(1), value.size(1), LEAST_WIDTH)
    capability = torch.cuda.get_device_capability() if query.is_cuda else (0, 0)
    return {
        work: " x ".join(map(str, choose_tile(work, query.dtype, channels, capability)))
        for work in KERNELS
    }

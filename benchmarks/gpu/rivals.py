"""Softmax attention of the same shape: other people's best kernels, which do more for each pair."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.gpu.attention import speeds
from benchmarks.gpu.rulers import PRECISIONS
from benchmarks.gpu.session import Record, Session
from benchmarks.gpu.timing import forget, peak_mb, timed

BACKENDS = {"sdpa flash": "FLASH_ATTENTION", "sdpa cudnn": "CUDNN_ATTENTION"}

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def run(session: Session) -> None:
    sizes = session.sizes
    for d in sizes.channels:
        for impl in BACKENDS:
            for n in sizes.rows:
                attempt(session, impl, "bfloat16", n, d, 1)
            for n in sizes.head_rows:  # where one head leaves multiprocessors without work
                attempt(session, impl, "bfloat16", n, d, sizes.heads)
            attempt(session, impl, "float16", sizes.half_rows, d, 1)
        attempt(session, "flex, tanh in softmax", "bfloat16", sizes.half_rows, d, 1)
    forget(session.device)


def attempt(session: Session, impl: str, precision: str, n: int, d: int, heads: int) -> None:
    labels = {"impl": impl, "precision": precision, "n": n, "d": d, "heads": heads}

    def work() -> Record:
        if impl in BACKENDS:
            with sdpa_kernel([getattr(SDPBackend, BACKENDS[impl])]):
                return measure(session, F.scaled_dot_product_attention, precision, n, d, heads)
        attention = flex(compiled=not session.rehearsal)
        return measure(session, attention, precision, n, d, heads)

    session.attempt("rivals", labels, work)


def measure(
    session: Session, attention: Attention, precision: str, n: int, d: int, heads: int
) -> Record:
    device, seconds = session.device, session.sizes.seconds
    plain = inputs(n, d, heads, PRECISIONS[precision].dtype, device)
    leaves = [x.clone().requires_grad_() for x in plain]
    grad_out = torch.ones_like(plain[0])
    forward = partial(attention, *plain)

    def train() -> object:
        return torch.autograd.grad(attention(*leaves), leaves, grad_out)

    record = timed(forward, device, seconds).record("forward")
    record |= timed(train, device, seconds).record("training")
    record |= {"training_peak_mb": peak_mb(train, device)}
    return record | speeds(record, session.rates, precision, n, d, heads)


def inputs(n: int, d: int, heads: int, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    """Query, key and value ``[1, heads, n, d]``."""
    return list(torch.randn(3, 1, heads, n, d, device=device).to(dtype))


def flex(*, compiled: bool) -> Attention:
    """FlexAttention whose logits pass a tanh before the softmax."""
    from torch.nn.attention.flex_attention import flex_attention

    attention: Any = torch.compile(flex_attention, dynamic=False) if compiled else flex_attention
    return partial(attention, score_mod=_tanh)


def _tanh(score: Tensor, batch: Tensor, head: Tensor, row: Tensor, column: Tensor) -> Tensor:
    return torch.tanh(score)

r"""Tanh attention from its linear term and a few landmarks, in time linear in n.

Write :math:`\tanh(s) = a s + r(s)`. The linear part of :math:`O = \tanh(s Q K^\top) V` is exact in
:math:`O(n d^2)`. What is left, as a function of one query, is close to a combination of few columns
of :math:`r`, at :math:`L` landmark keys :math:`\tilde K`:

.. math::
    O \approx a \, s Q (K^\top V) + r(s Q \tilde K^\top) \, W , \qquad
    W = \arg\min_W \lVert r(s \tilde Q \tilde K^\top) W - r(s \tilde Q K^\top) V \rVert_F^2
    + \lambda \lVert W \rVert_F^2 .

The weights :math:`W` and the slope :math:`a` are least-squares fits to the exact answer at
:math:`2L` sampled queries :math:`\tilde Q`. Samples and landmarks lie at even spacing, so the
result is a function of the input alone.

The backward pass approximates the exact gradient, not the gradient of the fit, which explodes where
the residual is rounding noise. As a function of one key, :math:`g(k) = \tanh(s \, k Q^\top) dO` is
attention the other way round, and fitted likewise: :math:`dV = g(K)`, while :math:`dK` and
:math:`dQ` are the derivatives of the two fits at the rows of :math:`K` and :math:`Q`.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

NUM_LANDMARKS = 128
RIDGE = 1e-2  # relative to the Frobenius norm of the fitted basis
NOISE = 16  # rounding errors of a logit that the basis has to exceed
CHUNK = 8192  # rows whose logits are held at once: 4 MB, which stay in the cache


class _Fit(NamedTuple):
    """The function of a row x that is x @ moment + tanh(scale * x @ landmark^T) @ weight."""

    moment: Tensor  # [d, dv]
    landmark: Tensor  # [L, d]
    weight: Tensor  # [L, dv]
    scale: float

    def __call__(self, x: Tensor) -> Tensor:
        out = x @ self.moment
        for part, o in zip(torch.split(x, CHUNK), torch.split(out, CHUNK), strict=True):
            o.addmm_(self._tanh(part), self.weight)
        return out

    def gradient(self, x: Tensor, grad: Tensor) -> Tensor:
        """The gradient of the sum of ``self(x) * grad`` with respect to x."""
        out = grad @ self.moment.t()
        parts = (torch.split(t, CHUNK) for t in (x, grad, out))
        for part, g, o in zip(*parts, strict=True):
            dlogit = torch.ops.aten.tanh_backward(g @ self.weight.t(), self._tanh(part))
            o.addmm_(dlogit, self.landmark, alpha=self.scale)
        return out

    def _tanh(self, x: Tensor) -> Tensor:
        return (x @ (self.scale * self.landmark.t())).tanh_()  # [rows, L]


def nystrom(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """Exact where either side has at most ``2 * NUM_LANDMARKS`` rows."""
    dtype = torch.float32 if query.dtype.itemsize < 4 else query.dtype
    q, k, v = query.to(dtype), key.to(dtype), value.to(dtype)
    if min(q.size(0), k.size(0)) <= 2 * NUM_LANDMARKS:
        out = torch.tanh(scale * (q @ k.t())) @ v
    else:
        out = _Nystrom.apply(q, k, v, scale)  # type: ignore[no-untyped-call]
    return out.to(query.dtype)


class _Nystrom(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        fit = _fit(query, key, value, scale)
        ctx.save_for_backward(query, key, value, fit.moment, fit.landmark, fit.weight)
        ctx.scale = scale
        return fit(query)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("impl='nystrom' has no second derivative: use impl='reference'")
        query, key, value, moment, landmark, weight = ctx.saved_tensors
        need_query, need_key, need_value, _ = ctx.needs_input_grad
        fit = _Fit(moment, landmark, weight, ctx.scale)
        dquery = fit.gradient(query, grad) if need_query else None
        if not (need_key or need_value):
            return dquery, None, None, None
        fit = _fit(key, query, grad, ctx.scale)
        dkey = fit.gradient(key, value) if need_key else None
        return dquery, dkey, fit(key) if need_value else None, None


def _fit(query: Tensor, key: Tensor, value: Tensor, scale: float) -> _Fit:
    sample, landmark = _evenly(query, 2 * NUM_LANDMARKS), _evenly(key, NUM_LANDMARKS)
    moment = scale * (key.t() @ value)
    straight = sample @ moment  # [2L, dv]
    target = torch.zeros_like(straight)
    for k, v in zip(torch.split(key, CHUNK), torch.split(value, CHUNK), strict=True):
        target.addmm_((sample @ (scale * k.t())).tanh_(), v)
    slope = _slope(straight, target)
    logit = scale * (sample @ landmark.t())  # [2L, L]
    weight = _ridge(logit.tanh() - slope * logit, target - slope * straight, logit)
    return _Fit(slope * (moment - scale * (landmark.t() @ weight)), landmark, weight, scale)


def _evenly(x: Tensor, count: int) -> Tensor:
    """Rows from the middle of equal stretches."""
    n = x.size(0)
    return x[torch.arange(count, device=x.device) * n // count + n // count // 2]


def _slope(x: Tensor, y: Tensor) -> Tensor:
    """The least-squares factor from x to y; 0 if x is zero."""
    product = (x.double() * y).sum() / _positive(x.double().square().sum())
    return product.to(x.dtype)


def _ridge(basis: Tensor, target: Tensor, logit: Tensor) -> Tensor:
    noise = NOISE * torch.finfo(basis.dtype).eps
    basis = basis.double()
    gram = basis.t() @ basis  # [L, L]
    ridge = RIDGE**2 * gram.diagonal().sum() + noise**2 * logit.double().square().sum()
    gram.diagonal().add_(_positive(ridge))
    # The unchecked solve lets NaN through instead of stopping on it.
    solved = torch.linalg.solve_ex(gram, basis.t() @ target.double()).result
    return solved.to(target.dtype)


def _positive(x: Tensor) -> Tensor:
    return x.clamp(min=torch.finfo(x.dtype).tiny)

import torch
from torch import Tensor


def dropout(x: Tensor, p: float) -> Tensor:
    """Zero entries with probability ``p`` and scale the others up, as torch's dropout does.

    Sixteen random bits decide an entry, so that ``p`` is rounded to a multiple of 2^-16. Torch's
    draws one number an entry: on a CPU that takes ten times as long.

    Args:
        x (Tensor): entries, in any shape.
        p (float): the probability, in [0, 1].

    Raises:
        ValueError: if ``p`` lies elsewhere.

    Examples:
        >>> import torch
        >>> from crane_pyg.ops import dropout
        >>> out = dropout(torch.ones(200, 64), p=0.75)
        >>> out.shape, out.unique()
        (torch.Size([200, 64]), tensor([0., 4.]))
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p must lie in [0, 1] (got {p})")
    kept = 2**16 - round(p * 2**16)
    if kept == 2**16:
        return x
    draws = torch.empty(-(-x.numel() // 4), dtype=torch.long, device=x.device)
    bits = draws.random_(-(2**63), None).view(torch.int16)[: x.numel()].view(x.shape)
    return x * (bits < kept - 2**15).to(x.dtype).mul_(2**16 / max(1, kept))

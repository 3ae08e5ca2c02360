"""What attention is measured on: the input of RCA's first round, and the exact output."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from crane_pyg.datasets import load_dataset
from crane_pyg.nn.attention import RecursiveCrossModalAttention
from crane_pyg.nn.models import CRANE

NUM_CLUSTERS = 40
NOISE = 0.5
NUM_SAMPLES = 1024


class Case(NamedTuple):
    """Input of one attention, and the weight that follows it."""

    query: Tensor  # [n, d]
    key: Tensor  # [m, d]
    value: Tensor  # [m, d]
    weight: Tensor  # [d, d]


@torch.no_grad()
def first_round(
    rca: RecursiveCrossModalAttention, xs: dict[str, Tensor], rows: slice = slice(None)
) -> dict[str, Case]:
    """What the attention of each modality gets in the first round."""
    xs = {m: F.normalize(x, dim=1) for m, x in xs.items()}
    joint = rca.lin_joint(torch.cat(list(xs.values()), dim=1))
    return {
        m: Case(x[rows], rca.lin_anchor[m](joint), x, rca.lin_attn[m].weight.detach())
        for m, x in xs.items()
    }


def planted(n: int, d: int = 64) -> Case:
    """Two views of the same clusters, each with centres and noise of its own."""
    torch.manual_seed(0)
    cluster = torch.randint(NUM_CLUSTERS, (n,))
    names = ("visual", "textual")
    xs = {m: torch.randn(NUM_CLUSTERS, d)[cluster] + NOISE * torch.randn(n, d) for m in names}
    return first_round(RecursiveCrossModalAttention(dict.fromkeys(names, d)), xs)["visual"]


def recorded(source: str) -> dict[str, Case]:
    """The same of CRANE's item graph, at its start."""
    torch.manual_seed(0)
    data = load_dataset(source)[0]
    model = CRANE.from_data(data)
    rca = model.item_graph.graph.fusion.rca
    calls = []
    rca.register_forward_pre_hook(
        lambda _, args, kwargs: calls.append((args, kwargs)), with_kwargs=True
    )
    with torch.no_grad():
        model.views(data)
    (xs, masks), kwargs = calls[0]
    xs = {m: x.masked_fill(~masks[m].unsqueeze(1), 0) for m, x in xs.items()}
    return first_round(rca, xs, kwargs["query"])


def cases(source: str | None, sizes: Sequence[int]) -> Iterator[tuple[str, Case]]:
    if source is None:
        yield from (("planted clusters", planted(n)) for n in sizes)
    else:
        yield from recorded(source).items()


def sampled_rows(n: int) -> Tensor:
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))[:NUM_SAMPLES]


def exact_rows(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """In float64, few rows at a time."""
    key, value = key.double(), value.double()
    return torch.cat([torch.tanh(q.double() @ key.t()) @ value for q in query.split(64)])


def relative_error(approximate: Tensor, exact: Tensor) -> float:
    return float((approximate.double() - exact).norm() / exact.norm())

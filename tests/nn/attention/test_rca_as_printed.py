"""As printed, the rounds blow up and every entity ends up alike. Measured over the three seeds:

                       as printed     mean over n (default)   divided by sqrt(n)
share |C| > 0.99       0.98, 1, 1     0
rows, round by round   x 170 or more  1.7 at most
effective rank         1.0 to 1.6     13.3 to 14.9            3.9 to 7.2
cluster found          0.13 to 0.19   0.91 to 0.96            0.32 to 0.52
"""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.nn import RecursiveCrossModalAttention as RCA
from crane_pyg.ops import knn_graph

USERS, ITEMS, CLUSTERS, CHANNELS = 400, 200, 10, 64
NAMES = ("visual", "textual")


@pytest.fixture(scope="module", params=[0, 1, 2])
def planted(request):
    """Noisy clusters around a common centre; users sum the features of eight random items."""
    g = torch.Generator().manual_seed(request.param)
    cluster = torch.arange(ITEMS) % CLUSTERS
    adjacency = torch.zeros(USERS, ITEMS)
    adjacency.scatter_(1, torch.rand(USERS, ITEMS, generator=g).topk(8, dim=1).indices, 1.0)
    xs = {}
    for m in NAMES:
        centre = torch.randn(CLUSTERS, CHANNELS, generator=g) + torch.randn(CHANNELS, generator=g)
        items = centre[cluster] + torch.randn(ITEMS, CHANNELS, generator=g)
        xs[m] = torch.cat([adjacency @ items, items])
    torch.manual_seed(request.param)
    rca = RCA(dict.fromkeys(NAMES, CHANNELS), 3)
    return SimpleNamespace(xs=xs, cluster=cluster, rca=rca)


def rounds(rca, xs):
    """The output after each round, item rows only, and each round's input."""
    states, outs = [xs], []
    with torch.no_grad():
        for _ in range(3):
            one = RCA(rca.channels, 1, normalize=rca.normalize)
            one.load_state_dict(rca.state_dict())
            out = one(states[-1])
            states.append(dict(zip(NAMES, out.split(CHANNELS, dim=1), strict=True)))
            outs.append(out[USERS:])
    return states, outs


def purity(x, cluster):
    """Share of ten nearest neighbours that come from the item's own cluster."""
    neighbour, item = knn_graph(x, 10)
    return (cluster[neighbour] == cluster[item]).float().mean().item()


def effective_rank(x):
    """The exponential of the entropy of the squared singular values."""
    p = torch.linalg.svdvals(x).square()
    p = p / p.sum()
    return p.clamp(min=1e-30).log().mul(p).sum().neg().exp().item()


def saturated(rca, xs):
    """Share of the pairs with |C| > 0.99, in the modality where it is lowest."""
    with torch.no_grad():
        joint = rca.lin_joint(torch.cat([xs[m] for m in NAMES], dim=1))
        c = {m: torch.tanh(xs[m] @ rca.lin_anchor[m](joint).T) for m in NAMES}
    return min((x.abs() > 0.99).float().mean().item() for x in c.values())


def test_as_printed_everything_saturates_and_collapses(planted):
    printed = RCA(planted.rca.channels, 3, normalize=False)
    printed.load_state_dict(planted.rca.state_dict())
    states, outs = rounds(printed, planted.xs)
    assert saturated(printed, states[0]) > 0.95
    assert saturated(printed, states[1]) > 0.99
    norm = [torch.cat([x[m] for m in NAMES], dim=1).norm(dim=1).median() for x in states]
    assert norm[1] > 50 * norm[0]
    assert norm[2] > 50 * norm[1]
    assert norm[3] > 50 * norm[2]
    assert effective_rank(outs[2]) < 3
    assert purity(outs[2], planted.cluster) < 0.3


def test_normalised_rounds_keep_the_clusters_apart(planted):
    _, outs = rounds(planted.rca, planted.xs)
    with torch.no_grad():
        torch.testing.assert_close(planted.rca(planted.xs)[USERS:], outs[2])
    unit = {m: F.normalize(x, dim=1) for m, x in planted.xs.items()}
    assert saturated(planted.rca, unit) < 0.01
    assert all(out.norm(dim=1).max() < 3 for out in outs)
    assert effective_rank(outs[2]) > 10
    assert purity(outs[2], planted.cluster) > 0.85


def test_a_root_of_n_in_the_place_of_n_collapses_again(planted):
    """The gain per modality turns the mean over n entities into a sum over sqrt(n)."""
    rooted = RCA(planted.rca.channels, 3, gain=True)
    rooted.load_state_dict(planted.rca.state_dict(), strict=False)
    torch.nn.init.constant_(rooted.gain, (USERS + ITEMS) ** 0.5)
    with torch.no_grad():
        out = rooted(planted.xs)[USERS:]
        mean = planted.rca(planted.xs)[USERS:]
    assert effective_rank(out) < 0.65 * effective_rank(mean)
    assert purity(out, planted.cluster) < 0.65

import pytest
import torch
from torch_geometric.data import HeteroData

from crane_pyg.datasets import build_hetero_data
from crane_pyg.transforms import DegreeDropEdge, degree_drop_edge

USER_TO_ITEM = ("user", "interacts", "item")
ITEM_TO_USER = ("item", "rev_interacts", "user")


@pytest.fixture
def skewed():
    """``[2, E]`` of 12 users and 9 items, whose degrees run from 1 to 12."""
    u, i = torch.meshgrid(torch.arange(12), torch.arange(9), indexing="ij")
    return ((u + 1) * (i + 1) <= 12).nonzero().T.contiguous()


def probability(edge_index):
    """Eq. 2, edge by edge."""
    users, items = edge_index.tolist()
    degrees = [users.count(u) * items.count(i) for u, i in zip(users, items, strict=True)]
    return torch.tensor(degrees, dtype=torch.double).rsqrt()


def frequency(edge_index, draws, **kwargs):
    generator = torch.Generator().manual_seed(7)
    kept = [
        degree_drop_edge(edge_index, (12, 9), generator=generator, **kwargs) for _ in range(draws)
    ]
    return torch.stack(kept).double().mean(0)


def test_bernoulli_keeps_with_the_probability_of_equation_2(skewed):
    draws = 4000
    p = probability(skewed)
    error = (p * (1 - p) / draws).sqrt()
    z = (frequency(skewed, draws) - p) / error.clamp(min=1e-12)
    assert z.abs().max() < 4  # of 35 edges; standard normal each
    assert 0.5 < z.square().mean() < 1.6
    assert p.max() / p.min() > 2  # the edges differ, so that a constant rate would fail


def test_bernoulli_always_keeps_an_edge_between_two_leaves():
    edge_index = torch.tensor([[0, 1, 1], [0, 1, 2]])
    generator = torch.Generator().manual_seed(1)
    kept = torch.stack(
        [degree_drop_edge(edge_index, (2, 3), generator=generator) for _ in range(200)]
    )
    assert kept[:, 0].all()
    assert not kept[:, 1:].all()


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 0.8, 0.99])
def test_multinomial_draws_exactly_the_share(skewed, ratio):
    num_edges = skewed.size(1)
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        keep = degree_drop_edge(
            skewed, (12, 9), mode="multinomial", ratio=ratio, generator=generator
        )
        assert keep.dtype == torch.bool
        assert int(keep.sum()) == round(num_edges * (1 - ratio))


def test_multinomial_draws_in_proportion_to_the_probability(skewed):
    """With one edge a draw, the frequency is p divided by the sum of p."""
    draws, ratio = 4000, 1 - 1 / skewed.size(1)
    share = probability(skewed) / probability(skewed).sum()
    found = frequency(skewed, draws, mode="multinomial", ratio=ratio)
    assert found.sum() == pytest.approx(1)
    z = (found - share) / (share * (1 - share) / draws).sqrt()
    assert z.abs().max() < 4
    assert 0.5 < z.square().mean() < 1.6


def test_multinomial_equals_draws_one_after_the_other(skewed):
    """Without replacement: torch.multinomial on the same probabilities, at another ratio."""
    p, draws = probability(skewed), 4000
    found = frequency(skewed, draws, mode="multinomial", ratio=0.5)
    count = round(0.5 * p.numel())
    generator = torch.Generator().manual_seed(11)
    index = torch.multinomial(p.expand(draws, -1), count, generator=generator)
    expected = torch.zeros(draws, p.numel(), dtype=torch.double).scatter(1, index, 1.0).mean(0)
    error = (2 * expected * (1 - expected) / draws).sqrt()
    assert ((found - expected) / error).abs().max() < 4
    low_degree, high_degree = p.topk(5).indices, (-p).topk(5).indices
    assert found[low_degree].mean() > found[high_degree].mean() + 0.2


@pytest.mark.parametrize("mode", ["bernoulli", "multinomial"])
def test_the_generator_decides(skewed, mode):
    first, same, other = (
        degree_drop_edge(skewed, (12, 9), mode=mode, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("mode", ["bernoulli", "multinomial"])
def test_without_edges(mode):
    keep = degree_drop_edge(torch.empty(2, 0, dtype=torch.long), (3, 2), mode=mode)
    assert keep.shape == (0,)


@pytest.mark.parametrize("mode", ["bernoulli", "multinomial"])
def test_transform_thins_both_directions(skewed, mode):
    label = torch.zeros(skewed.size(1), dtype=torch.long)
    label[[3, 9]] = torch.tensor([1, 2])
    data = build_hetero_data(skewed, label, num_users=12, num_items=9)
    before = data[USER_TO_ITEM].edge_index.clone()
    out = DegreeDropEdge(mode=mode, ratio=0.4)(data)

    kept = out[USER_TO_ITEM].edge_index
    pairs = set(zip(*kept.tolist(), strict=True))
    assert pairs < set(zip(*before.tolist(), strict=True))
    assert len(pairs) == kept.size(1) > 0
    again = build_hetero_data(
        kept, torch.zeros(kept.size(1), dtype=torch.long), num_users=12, num_items=9
    )
    assert torch.equal(kept, again[USER_TO_ITEM].edge_index)
    assert torch.equal(out[ITEM_TO_USER].edge_index, again[ITEM_TO_USER].edge_index)

    for key in ("val_edge_label_index", "test_edge_label_index"):
        assert torch.equal(out[USER_TO_ITEM][key], data[USER_TO_ITEM][key])
    assert torch.equal(data[USER_TO_ITEM].edge_index, before)  # the caller's graph stays whole
    assert data[ITEM_TO_USER].edge_index.size(1) == before.size(1)


def test_attributes_follow_their_edges(skewed):
    data = build_hetero_data(
        skewed, torch.zeros(skewed.size(1), dtype=torch.long), num_users=12, num_items=9
    )
    for edge_type in (USER_TO_ITEM, ITEM_TO_USER):
        src, dst = data[edge_type].edge_index
        user, item = (src, dst) if edge_type == USER_TO_ITEM else (dst, src)
        data[edge_type].edge_weight = 100 * user + item
    out = DegreeDropEdge()(data)
    for edge_type in (USER_TO_ITEM, ITEM_TO_USER):
        src, dst = out[edge_type].edge_index
        user, item = (src, dst) if edge_type == USER_TO_ITEM else (dst, src)
        assert torch.equal(out[edge_type].edge_weight, 100 * user + item)
        assert 0 < src.numel() < skewed.size(1)


def test_other_edge_types_and_no_reverse():
    data = HeteroData()
    data["a"].num_nodes = data["b"].num_nodes = 30
    data["a", "to", "b"].edge_index = torch.cartesian_prod(torch.arange(30), torch.arange(30)).T
    out = DegreeDropEdge(("a", "to", "b"), None)(data)
    assert 5 < out["a", "to", "b"].edge_index.size(1) < 70  # 900 edges, each with 1 / 30
    assert out.edge_types == [("a", "to", "b")]


def test_errors(skewed):
    with pytest.raises(ValueError, match=r"mode must be one of 'bernoulli', .* \(got 'none'\)"):
        degree_drop_edge(skewed, (12, 9), mode="none")
    for ratio in (1.0, -0.1):
        with pytest.raises(ValueError, match=r"ratio must lie in \[0, 1\) \(got"):
            degree_drop_edge(skewed, (12, 9), mode="multinomial", ratio=ratio)


def test_repr():
    assert str(DegreeDropEdge()) == "DegreeDropEdge(mode='bernoulli')"
    expected = "DegreeDropEdge(mode='multinomial', ratio=0.5)"
    assert str(DegreeDropEdge(mode="multinomial", ratio=0.5)) == expected

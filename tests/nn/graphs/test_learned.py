import pytest
import torch

from crane_pyg.nn import LearnedItemGraph
from crane_pyg.nn.fusion import FUSIONS
from crane_pyg.ops import edge_cosine, knn_graph
from crane_pyg.transforms import row_normalize
from tests.nn.fusion.data import N, cone, kinds, projected, world

LEARNING = [name for name, kind in FUSIONS.items() if kind.learns]


def build(fusion, **kwargs):
    torch.manual_seed(1)
    graph = LearnedItemGraph(FUSIONS[fusion]({"a": 5, "b": 3}, 4), k=3, **kwargs)
    graph.fusion.modality_share.copy_(torch.tensor([0.5, 1.0]))
    return graph


def dense(edge_index, weight):
    return torch.zeros(N, N).index_put((edge_index[1], edge_index[0]), weight, accumulate=True)


def linked(x, mask=None):
    edge_index = knn_graph(x, 3, loop=True, mask=mask)
    return dense(edge_index, row_normalize(edge_index, edge_cosine(x, edge_index), N))


def test_repr():
    assert repr(build("sum")) == "LearnedItemGraph(SumFusion({'a': 5, 'b': 3}, 4), k=3)"


@pytest.mark.parametrize(
    ("fusion", "join"),
    [("projected", lambda a, b: torch.cat([a, b], dim=1)), ("sum", lambda a, b: a + b)],
)
def test_items_are_linked_by_what_the_fusion_gives(fusion, join):
    data = cone()
    data["item"].b_mask[:] = True
    graph = build(fusion)
    first, second = projected(graph.fusion, data)
    found = graph(data)
    torch.testing.assert_close(
        dense(found.edge_index, found.weight), linked(join(0.5 * first, second))
    )


def test_the_mean_is_of_the_graphs_that_an_item_has():
    data, graph = cone(), build("mean")
    masks = {"a": torch.arange(N) < N - 1, "b": data["item"].b_mask}
    masks["a"][1] = False
    data["item"].a_mask = masks["a"]
    result = graph(data)
    found, edge_index = dense(result.edge_index, result.weight), result.edge_index
    xs = projected(graph.fusion, data)
    first, second = (linked(x, masks[m]) for x, m in zip(xs, ("a", "b"), strict=True))
    torch.testing.assert_close(found[0], first[0])  # the first item has no b
    torch.testing.assert_close(found[N - 1], second[N - 1])  # nor has the last an a
    assert (edge_index != 1).all()  # and the second nothing
    both = masks["a"] & masks["b"]  # cosines count by the shares' squares
    torch.testing.assert_close(found[both], (0.25 * first + second)[both] / 1.25)
    degree = torch.full((N,), graph.degree)
    degree[1] = 0
    assert graph.degree == 6
    assert torch.equal(torch.bincount(edge_index[1], minlength=N), degree)


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("loop", [False, True])
def test_an_item_is_its_own_neighbour_if_it_shall(fusion, loop):
    graph = build(fusion, loop=loop)(cone())
    source, target = graph.edge_index[:, graph.weight != 0]
    assert (source == target).any() == loop


@pytest.mark.parametrize("fusion", LEARNING)
def test_what_learns_has_a_gradient(fusion):
    graph = build(fusion)
    assert graph.learns
    weight = graph(cone()).weight
    (weight * torch.randn_like(weight)).sum().backward()
    for m in ("a", "b"):
        assert graph.fusion.lin[m].weight.grad.abs().sum() > 0


def test_raw_features_have_nothing_to_learn():
    assert not build("concat").learns


def of_kinds(fusion, names=("a", "b", "c"), widths=(4, 2, 4)):
    return LearnedItemGraph(FUSIONS[fusion](dict(zip(names, widths)), 8), k=3)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_warm_start_weighs_by_what_recommends(fusion):
    graph = of_kinds(fusion)
    graph.warm_start(kinds())
    a, _, c = graph.fusion.modality_share.tolist()
    assert a == 1
    assert c < 1
    graph.reset_parameters()
    assert graph.fusion.modality_share.tolist() == [1, 1, 1]


def test_a_modality_alone_weighs_one():
    graph = of_kinds("rca", "c", (4,))
    graph.warm_start(kinds())
    assert graph.fusion.modality_share.tolist() == [1]


def test_gaps_do_not_make_a_modality_look_worse():
    generator = torch.Generator().manual_seed(0)
    style = torch.arange(120) % 6
    centre = torch.randn(6, 8, generator=generator)
    noise = torch.randn(2, 120, 8, generator=generator)
    features = {"a": centre[style] + 0.1 * noise[0], "b": centre[style] + 0.4 * noise[1]}
    masks = {"a": torch.arange(120) % 10 < 4, "b": torch.ones(120, dtype=torch.bool)}
    likes = torch.rand(60, 120, generator=generator) < 0.25
    user, item = (likes & (style == torch.arange(60).view(-1, 1) % 6)).nonzero().T
    graph = of_kinds("rca", "ab", (8, 8))
    graph.warm_start(world(user, item, features, masks))
    a, b = graph.fusion.modality_share.tolist()
    assert a == 1 > b

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.nn import ItemGraph
from crane_pyg.nn.item_graph import SHARES
from crane_pyg.ops import csr_graph, edge_cosine, graph_recall, knn_graph
from crane_pyg.transforms import row_normalize

N, M = 12, 6


@pytest.fixture
def parts():
    """Features and masks of two modalities, one of them in a narrow cone; half of the users take
    what points one way in the first, the others one way in the second."""
    torch.manual_seed(0)
    features = {"a": torch.randn(N, 5), "b": 10 + torch.randn(N, 3)}
    masks = {"a": torch.ones(N, dtype=torch.bool), "b": torch.arange(N) > 1}
    first, second = features["a"][:, 0] > 0, features["b"][:, 0] > features["b"][:, 1]
    user, item = torch.stack([first, second]).repeat(M // 2, 1).nonzero().T
    return features, masks, csr_graph(torch.stack([item, user]), size=(N, M))


def centred(x, mask):
    unit = F.normalize(x, dim=1)
    return F.normalize(unit - unit[mask].mean(0), dim=1) * mask.unsqueeze(1)


def test_concatenated_features_are_centred_and_weighed(parts):
    features, masks, _ = parts
    graph = ItemGraph({"a": 5, "b": 3}, k=3, fusion="concat")
    graph.modality_share.copy_(torch.tensor([0.5, 1.0]))
    wanted = [0.5 * centred(features["a"], masks["a"]), centred(features["b"], masks["b"])]
    torch.testing.assert_close(graph.embed(*parts), torch.cat(wanted, dim=1))
    raw = ItemGraph({"a": 5, "b": 3}, k=3, fusion="concat", center=False).embed(*parts)
    unit = [F.normalize(features[m], dim=1) * masks[m].unsqueeze(1) for m in ("a", "b")]
    torch.testing.assert_close(raw, torch.cat(unit, dim=1))


def test_attention_scales_each_modality(parts):
    graph = ItemGraph({"a": 5, "b": 3}, channels=4, k=3)
    plain = graph.embed(*parts)
    graph.modality_share.copy_(torch.tensor([0.5, 2.0]))
    scale = torch.tensor([0.5] * 4 + [2.0] * 4)
    torch.testing.assert_close(graph.embed(*parts), plain * scale)


@pytest.fixture
def kinds():
    """Users take the items of one kind of four; ``a`` tells the kinds apart, ``b`` halves of them,
    ``c`` is noise."""
    torch.manual_seed(0)
    kind = torch.arange(200) % 4
    features = {
        "a": F.one_hot(kind).float() + 0.3 * torch.randn(200, 4),
        "b": F.one_hot(kind % 2).float() + 0.3 * torch.randn(200, 2),
        "c": torch.randn(200, 4),
    }
    masks = dict.fromkeys(features, torch.ones(200, dtype=torch.bool))
    user, item = (torch.arange(8).view(-1, 1) % 4 == kind).nonzero().T
    return features, masks, csr_graph(torch.stack([item, user]), size=(200, 8))


@pytest.mark.parametrize("fusion", ["rca", "concat", "projected", "mean"])
def test_warm_start_weighs_by_what_recommends(kinds, fusion):
    graph = ItemGraph({"a": 4, "b": 2, "c": 4}, channels=8, k=3, fusion=fusion)
    graph.warm_start(*kinds)
    a, b, c = graph.modality_share.tolist()
    assert a == 1
    assert {b, c} <= {0, *SHARES}
    assert c < 1
    graph.reset_parameters()
    assert graph.modality_share.tolist() == [1, 1, 1]


def test_weights_recommend_no_worse_than_others(kinds):
    graph = ItemGraph({"a": 4, "b": 2, "c": 4}, channels=8, k=3, fusion="concat", loop=False)

    def recall(weight):
        graph.modality_share.copy_(torch.tensor(weight))
        return graph_recall(csr_graph(*graph(*kinds), size=(200, 200)), kinds[2])

    others = [recall(weight) for weight in ([1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1])]
    graph.warm_start(*kinds)
    chosen = recall(graph.modality_share.tolist())
    assert chosen.mean >= max(others).mean - 2 * max(others).error  # one of each modality's choice
    assert max(others).mean > min(others).mean


def test_what_neither_helps_nor_harms_stays(kinds):
    features, masks, to_user = kinds
    graph = ItemGraph({"a": 4, "b": 4}, channels=8, k=3)
    graph.warm_start({"a": features["a"], "b": features["a"]}, masks, to_user)
    assert graph.modality_share.tolist() == [1, 1]


def test_a_modality_alone_weighs_one(kinds):
    features, masks, to_user = kinds
    graph = ItemGraph({"c": 4}, channels=8, k=3)
    graph.warm_start({"c": features["c"]}, masks, to_user)
    assert graph.modality_share.tolist() == [1]


def test_features_that_are_all_alike_are_no_direction(parts):
    features, masks, to_user = parts
    features = {**features, "b": (torch.rand(N, 1) + 1) * torch.tensor([1.0, 2.0, 3.0])}
    graph = ItemGraph({"a": 5, "b": 3}, k=3, fusion="concat")
    assert (graph.embed(features, masks, to_user)[:, 5:] == 0).all()


WEIGHT = torch.tensor([0.5, 1.0])


def build(fusion):
    torch.manual_seed(1)
    graph = ItemGraph({"a": 5, "b": 3}, channels=4, k=3, fusion=fusion)
    graph.modality_share.copy_(WEIGHT)
    return graph


def projected(graph, features, masks):
    """Rows of length one, centred, projected, and of length one again."""
    units = [centred(features[m], masks[m]) @ graph.lin[m].weight.T for m in ("a", "b")]
    return [F.normalize(x, dim=1) for x in units]


def dense(edge_index, weight):
    return torch.zeros(N, N).index_put((edge_index[1], edge_index[0]), weight, accumulate=True)


def linked(x, mask=None):
    edge_index = knn_graph(x, 3, loop=True, mask=mask)
    return dense(edge_index, row_normalize(edge_index, edge_cosine(x, edge_index), N))


def test_repr():
    assert repr(build("sum")) == "ItemGraph({'a': 5, 'b': 3}, k=3, fusion='sum')"


@pytest.mark.parametrize(
    ("fusion", "join"),
    [("projected", lambda a, b: torch.cat([a, b], dim=1)), ("sum", lambda a, b: a + b)],
)
def test_early_fusion_is_of_the_projected_modalities(parts, fusion, join):
    features, masks, to_user = parts
    masks = {m: torch.ones_like(mask) for m, mask in masks.items()}
    graph = build(fusion)
    first, second = projected(graph, features, masks)
    x = join(0.5 * first, second)
    torch.testing.assert_close(graph.embed(features, masks, to_user), x)
    torch.testing.assert_close(dense(*graph(features, masks, to_user)), linked(x))


def test_the_mean_is_of_the_graphs_that_an_item_has(parts):
    features, masks, to_user = parts
    masks = {"a": torch.arange(N) < N - 1, "b": masks["b"]}
    masks["a"][1] = False
    graph = build("mean")
    edge_index, weight = graph(features, masks, to_user)
    found = dense(edge_index, weight)
    xs = projected(graph, features, masks)
    first, second = (linked(x, masks[m]) for x, m in zip(xs, ("a", "b"), strict=True))
    torch.testing.assert_close(found[0], first[0])  # the first item has no b
    torch.testing.assert_close(found[N - 1], second[N - 1])  # nor has the last an a
    assert (edge_index != 1).all()  # and the second nothing
    both = masks["a"] & masks["b"]  # cosines count by the weights' squares
    torch.testing.assert_close(found[both], (0.25 * first + second)[both] / 1.25)
    degree = torch.full((N,), graph.degree)
    degree[1] = 0
    assert graph.degree == 6
    assert torch.equal(torch.bincount(edge_index[1], minlength=N), degree)


@pytest.mark.parametrize("fusion", ["rca", "projected", "sum", "mean"])
def test_what_learns_has_a_gradient(parts, fusion):
    graph = build(fusion)
    assert graph.learns
    _, weight = graph(*parts)
    (weight * torch.randn_like(weight)).sum().backward()
    for m in ("a", "b"):
        assert graph.lin[m].weight.grad.abs().sum() > 0


def test_raw_features_have_nothing_to_learn():
    assert not build("concat").learns
    assert list(build("concat").parameters()) == []


@pytest.mark.parametrize("fusion", ["projected", "sum", "mean"])
def test_a_warm_start_keeps_the_geometry(parts, fusion):
    features, masks, _ = parts
    graph = ItemGraph({"a": 5, "b": 3}, channels=6, k=3, fusion=fusion)
    graph.warm_start(*parts)
    for m, x in zip(("a", "b"), projected(graph, features, masks), strict=True):
        raw = centred(features[m], masks[m])
        torch.testing.assert_close(x @ x.T, raw @ raw.T, rtol=1e-4, atol=1e-4)


def test_gaps_do_not_make_a_modality_look_worse():
    generator = torch.Generator().manual_seed(0)
    style = torch.arange(120) % 6
    centre = torch.randn(6, 8, generator=generator)
    noise = torch.randn(2, 120, 8, generator=generator)
    features = {"a": centre[style] + 0.1 * noise[0], "b": centre[style] + 0.4 * noise[1]}
    masks = {"a": torch.arange(120) % 10 < 4, "b": torch.ones(120, dtype=torch.bool)}
    likes = torch.rand(60, 120, generator=generator) < 0.25
    user, item = (likes & (style == torch.arange(60).view(-1, 1) % 6)).nonzero().T
    graph = ItemGraph({"a": 8, "b": 8}, channels=8, k=3)
    graph.warm_start(features, masks, csr_graph(torch.stack([item, user]), size=(120, 60)))
    weight = dict(zip(graph.modalities, graph.modality_share.tolist(), strict=True))
    assert weight["a"] == 1 > weight["b"]

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.nn.graphs import FrozenItemGraph, modality_shares

SHARES = {"textual": 0.9, "visual": 0.1}


def dense(graph):
    out = torch.zeros(graph.num_dst, graph.num_src)
    out[graph.dst.long(), graph.col.long()] = graph.weight
    return out


def by_hand(x, k, *, cosine, loop=True):
    similarity = F.normalize(x, dim=1) @ F.normalize(x, dim=1).T
    if not loop:
        similarity.fill_diagonal_(-2)
    kept = similarity.topk(k).indices
    a = torch.zeros_like(similarity)
    a.scatter_(1, kept, similarity.gather(1, kept) if cosine else torch.ones_like(kept).float())
    scale = a.sum(1).rsqrt()
    return scale.view(-1, 1) * a * scale


def test_repr():
    assert repr(FrozenItemGraph(SHARES)) == (
        "FrozenItemGraph({'textual': 0.9, 'visual': 0.1}, k=10, cosine=False)"
    )


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("loop", [False, True])
def test_it_is_the_weighted_sum_of_laplacians(checkerboard, cosine, loop):
    store = checkerboard["item"]
    graph = FrozenItemGraph(SHARES, 4, loop=loop, cosine=cosine)(checkerboard)
    parts = {m: by_hand(store[f"x_{m}"], 4, cosine=cosine, loop=loop) for m in SHARES}
    expected = 0.9 * parts["textual"] + 0.1 * parts["visual"]
    torch.testing.assert_close(dense(graph), expected)


def test_an_item_that_lacks_a_modality(checkerboard):
    store = checkerboard["item"]
    store.visual_mask[3] = False
    store.x_visual[3] = 1e6
    parts = FrozenItemGraph(SHARES, 4).parts(checkerboard)
    assert not (parts["visual"][0] == 3).any()
    assert (parts["textual"][0][1] == 3).sum() == 4


def test_it_is_built_once_for_each_data(checkerboard):
    other = copy.copy(checkerboard)
    other["item"].x_visual = torch.randn(40, 7)
    graph = FrozenItemGraph(SHARES, 4)
    first, again = graph(checkerboard), graph(checkerboard)
    assert first is again
    assert graph(copy.copy(checkerboard)) is first
    assert not torch.equal(dense(graph(other)), dense(first))
    torch.testing.assert_close(dense(graph(checkerboard)), dense(first))


def test_a_copy_carries_neither_features_nor_graph(checkerboard):
    graph = FrozenItemGraph(SHARES, 4)
    first = graph(checkerboard)
    twin = copy.deepcopy(graph)
    assert len(pickle.dumps(twin)) < 2000
    assert graph(checkerboard) is first
    assert torch.equal(dense(twin(checkerboard)), dense(first))
    assert not graph.state_dict()


def test_no_modality():
    with pytest.raises(ValueError, match="must have item features"):
        FrozenItemGraph({})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["visual"], {"visual": 1.0}),
        (["audio", "image"], {"audio": 0.9, "image": 0.1}),
        (["textual", "visual"], {"textual": 0.9, "visual": 0.1}),
        (["acoustic", "textual"], {"acoustic": 0.5, "textual": 0.5}),
        (["a", "b", "visual"], {"a": 0.45, "b": 0.45, "visual": 0.1}),
    ],
)
def test_shares(names, expected):
    assert modality_shares(names) == expected


def test_the_error_names_the_modality_that_too_few_items_have(checkerboard):
    data = copy.copy(checkerboard)
    mask = torch.zeros(data["item"].num_nodes, dtype=torch.bool)
    mask[:4] = True
    data["item"]["visual_mask"] = mask
    with pytest.raises(ValueError, match=r"the modality 'visual' \(got k=4, items=4\)"):
        FrozenItemGraph(SHARES, 4)(data)

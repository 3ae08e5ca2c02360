import copy
import pickle

import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn import FrozenItemGraph, PooledItemGraph


def build(k=3):
    return PooledItemGraph(FrozenItemGraph({m: 1.0}, k, cosine=True) for m in ("text", "visual"))


def dense(graph):
    out = torch.zeros(graph.num_dst, graph.num_src)
    out[graph.dst.long(), graph.col.long()] = graph.weight
    return out


def with_text(data):
    data["item"].x_text, data["item"].text_mask = data["item"].x_textual, data["item"].textual_mask
    return data


def test_repr():
    assert repr(build()) == (
        "PooledItemGraph(FrozenItemGraph({'text': 1.0}, k=3, cosine=True), "
        "FrozenItemGraph({'visual': 1.0}, k=3, cosine=True))"
    )


def test_each_edge_has_the_greatest_of_its_weights(checkerboard):
    data = with_text(checkerboard)
    data["item"].visual_mask[5] = False
    graph = build()
    first, second = (dense(part(data)) for part in graph.graphs)
    assert ((first > 0) & (second > 0)).any()
    assert ((first > 0) & (second == 0)).any()
    # The weights of neighbours are positive here, so that zero says that there is no edge.
    torch.testing.assert_close(dense(graph(data)), torch.maximum(first, second))
    assert not second[5].any()
    torch.testing.assert_close(dense(graph(data))[5], first[5])


def test_an_edge_that_repels_everywhere_keeps_its_weight():
    """Not zero, which would be greater: the maximum is over the graphs that have the edge."""
    graph = build(k=2)
    x = torch.tensor([[1.0, 0.1], [-1.0, 0.1], [0.05, -1.0]])
    data = _items({"text": x, "visual": x})
    parts = [dense(part(data)) for part in graph.graphs]
    negative = (parts[0] < 0) & (parts[1] < 0)
    assert negative.any()
    torch.testing.assert_close(dense(graph(data))[negative], parts[0][negative])


def test_it_is_built_once_for_each_data(checkerboard):
    data = with_text(checkerboard)
    graph = build()
    assert graph(data) is graph(data)
    other = copy.copy(data)
    other["item"].x_visual = torch.randn(40, 7)
    assert not torch.equal(dense(graph(data)), dense(graph(other)))
    assert not graph.learns
    assert graph.state_dict() == {}
    assert torch.equal(dense(pickle.loads(pickle.dumps(graph))(data)), dense(graph(data)))


def _items(features):
    edge_index = torch.tensor([[0, 1], [1, 0]])
    label = torch.zeros(2, dtype=torch.long)
    return build_hetero_data(edge_index, label, num_users=2, num_items=3, features=features)

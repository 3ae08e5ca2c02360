import copy

import pytest
import torch

from crane_pyg.nn import ItemGraph, RefreshedItemGraph
from crane_pyg.ops import csr_graph

EDGE_INDEX = torch.tensor([[1, 2, 2, 0, 0, 1], [0, 0, 1, 1, 2, 2]])  # into 0, 1 and 2; none into 3


class Counted(ItemGraph):
    """Links the same items each time, with weights that say how often it was asked."""

    degree = 2

    def __init__(self, edge_index=EDGE_INDEX):
        super().__init__()
        self.edge_index = edge_index
        self.weight = torch.nn.Parameter(torch.arange(float(edge_index.size(1))))
        self.count = 0

    def forward(self, data):
        self.count += 1
        return csr_graph(self.edge_index, self.weight + self.count, size=(4, 4))

    def __repr__(self):
        return "Counted()"


class Uneven(Counted):
    """Its items have unequally many neighbours."""

    degree = None


def dense(graph):
    out = torch.zeros(graph.num_dst, graph.num_src)
    out[graph.edge_index[1], graph.edge_index[0]] = graph.weight.detach().float()
    return out


def build(refresh="epoch", kind=Counted):
    return RefreshedItemGraph(kind(), 4, refresh)


def test_repr():
    assert str(build(3)) == "RefreshedItemGraph(Counted(), refresh=3)"


@pytest.mark.parametrize("kind", [Counted, Uneven])
def test_what_was_built_is_kept_without_its_gradient(kind):
    graph = build(kind=kind)
    graph.start_epoch()
    first, second = graph(None), graph(None)
    assert graph.graph.count == 1
    expected = torch.tensor([[0.0, 1, 2, 0], [4, 0, 3, 0], [5, 6, 0, 0], [0, 0, 0, 0]])
    assert torch.equal(dense(first), expected)
    assert torch.equal(dense(second), expected)
    assert first.weight.requires_grad
    assert not second.weight.requires_grad


@pytest.mark.parametrize(
    ("refresh", "counts"),
    [
        ("epoch", [1, 2, 3, 4]),
        (1, [1, 2, 3, 4]),
        (3, [1, 1, 1, 2]),
        ("step", [2, 4, 6, 8]),
        (None, [1] * 4),
    ],
)
def test_refresh(refresh, counts):
    graph = build(refresh)
    for count in counts:
        graph.start_epoch()
        graph.train()
        graph(None), graph(None)
        graph.eval()
        graph(None)
        assert graph.graph.count == count


def test_unevenly_many_neighbours_are_built_for_each_evaluation():
    graph = build(kind=Uneven)
    graph.start_epoch()
    graph(None), graph(None)
    graph.eval()
    graph(None), graph(None)
    assert graph.graph.count == 3
    graph.train()
    assert not graph(None).weight.requires_grad  # what the epoch began with
    assert graph.graph.count == 3


def test_evaluation_builds_what_was_never_built():
    graph = build().eval()
    graph(None), graph(None)
    assert graph.graph.count == 1


@pytest.mark.parametrize("refresh", ["epochs", 0, -1, 1.5])
def test_a_wrong_refresh_is_refused(refresh):
    with pytest.raises(ValueError, match=rf"refresh must be .* \(got {refresh!r}\)"):
        build(refresh)


@pytest.mark.parametrize("refresh", ["epoch", None])
def test_a_state_that_is_loaded_holds_the_graph(refresh):
    graph = build(refresh)
    graph.start_epoch()
    graph(None)
    loaded = build(refresh)
    loaded(None)
    loaded.load_state_dict(graph.state_dict())
    assert torch.equal(dense(loaded(None)), dense(graph(None)))
    assert graph.graph.count == loaded.graph.count == 1
    loaded.start_epoch()
    loaded(None)
    assert loaded.graph.count == (1 if refresh is None else 2)


def test_a_state_from_before_the_first_epoch_holds_none():
    graph = build()
    graph.load_state_dict(build().state_dict())
    graph(None)
    assert graph.graph.count == 1


def test_moving_keeps_what_was_built_and_what_is_due():
    graph = build()
    graph.start_epoch()
    graph(None)
    assert graph.double()(None).weight.dtype == torch.double
    assert graph.graph.count == 1
    graph.start_epoch()
    graph.float()(None)
    assert graph.graph.count == 2


def test_a_graph_of_another_time_leaves_nothing_behind():
    graph = build()
    graph.start_epoch()
    graph(None)
    graph.start_epoch()
    graph.graph.edge_index = EDGE_INDEX[:, 2:4]
    graph.graph.weight = torch.nn.Parameter(torch.ones(2))
    graph(None)
    again = copy.deepcopy(graph).float()  # from the buffers
    assert torch.equal(dense(again(None)).nonzero(), torch.tensor([[1, 0], [1, 2]]))
    graph.reset_parameters()
    graph(None)
    assert graph.graph.count == 3

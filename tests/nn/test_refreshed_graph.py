import copy

import pytest
import torch

from crane_pyg.nn import RefreshedGraph

EDGE_INDEX = torch.tensor([[1, 2, 2, 0, 0, 1], [0, 0, 1, 1, 2, 2]])  # into 0, 1 and 2; none into 3


class Builder:
    """Links the same nodes each time, with weights that say how often it was asked."""

    def __init__(self):
        self.weight = torch.arange(6.0, requires_grad=True)
        self.count = 0

    def __call__(self):
        self.count += 1
        return EDGE_INDEX, self.weight + self.count


def dense(graph):
    out = torch.zeros(graph.num_dst, graph.num_src)
    out[graph.edge_index[1], graph.edge_index[0]] = graph.weight.detach()
    return out


def test_repr():
    assert str(RefreshedGraph(4, 2, refresh=3)) == "RefreshedGraph(4, 2, refresh=3)"


def test_what_was_built_is_kept_without_its_gradient():
    graph, build = RefreshedGraph(4, 2), Builder()
    graph.start_epoch()
    first, second = graph(build), graph(build)
    assert build.count == 1
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
    graph, build = RefreshedGraph(4, 2, refresh), Builder()
    for count in counts:
        graph.start_epoch()
        graph.train()
        graph(build), graph(build)
        graph.eval()
        graph(build)
        assert build.count == count


def test_evaluation_builds_what_was_never_built():
    graph, build = RefreshedGraph(4, 2).eval(), Builder()
    graph(build), graph(build)
    assert build.count == 1


@pytest.mark.parametrize("refresh", ["epochs", 0, -1, 1.5])
def test_a_wrong_refresh_is_refused(refresh):
    with pytest.raises(ValueError, match=rf"refresh must be .* \(got {refresh!r}\)"):
        RefreshedGraph(4, 2, refresh)


@pytest.mark.parametrize("refresh", ["epoch", None])
def test_a_state_that_is_loaded_holds_the_graph(refresh):
    graph, build = RefreshedGraph(4, 2, refresh), Builder()
    graph.start_epoch()
    graph(build)
    loaded = RefreshedGraph(4, 2, refresh)
    loaded(Builder())
    loaded.load_state_dict(graph.state_dict())
    assert torch.equal(dense(loaded(build)), dense(graph(build)))
    assert build.count == 1
    loaded.start_epoch()
    loaded(build)
    assert build.count == (1 if refresh is None else 2)


def test_a_state_from_before_the_first_epoch_holds_none():
    graph, build = RefreshedGraph(4, 2), Builder()
    graph.load_state_dict(RefreshedGraph(4, 2).state_dict())
    graph(build)
    assert build.count == 1


def test_moving_keeps_what_was_built_and_what_is_due():
    graph, build = RefreshedGraph(4, 2), Builder()
    graph.start_epoch()
    graph(build)
    assert graph.double()(build).weight.dtype == torch.double
    assert build.count == 1
    graph.start_epoch()
    graph.float()(build)
    assert build.count == 2


def test_a_graph_of_another_time_leaves_nothing_behind():
    graph = RefreshedGraph(4, 2)
    graph.start_epoch()
    graph(Builder())
    graph.start_epoch()
    graph(lambda: (EDGE_INDEX[:, 2:4], torch.ones(2)))
    again = copy.deepcopy(graph).float()  # from the buffers
    assert torch.equal(dense(again(None)).nonzero(), torch.tensor([[1, 0], [1, 2]]))
    graph.reset_parameters()
    build = Builder()
    graph(build)
    assert build.count == 1

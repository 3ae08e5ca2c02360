import pytest
import torch

from crane_pyg.nn import DegreeThinning
from crane_pyg.nn.user_item import user_item_graphs
from crane_pyg.transforms import bipartite_norm


def dense(graph):
    out = torch.zeros(graph.num_dst, graph.num_src)
    out[graph.edge_index[1], graph.edge_index[0]] = graph.weight
    return out


def test_repr():
    assert str(DegreeThinning()) == "DegreeThinning('bernoulli', degrees='full')"
    thinning = DegreeThinning("multinomial", 0.5, "sampled")
    assert str(thinning) == "DegreeThinning('multinomial', ratio=0.5, degrees='sampled')"


@pytest.mark.parametrize("mode", ["bernoulli", "multinomial"])
def test_a_sample_lasts_an_epoch_and_evaluation_has_all(checkerboard, mode):
    graphs, thinning = user_item_graphs(checkerboard), DegreeThinning(mode)
    first, again = thinning(graphs), thinning(graphs)
    thinning.start_epoch()
    second = thinning(graphs)
    assert again is first
    assert not torch.equal(dense(first[0]), dense(second[0]))
    assert thinning.eval()(graphs) is graphs


def test_both_directions_lose_the_same_edges(checkerboard):
    to_item, to_user = DegreeThinning("multinomial", 0.75)(user_item_graphs(checkerboard))
    assert torch.equal(dense(to_item), dense(to_user).T)
    assert to_item.weight.numel() == 432 // 4


@pytest.mark.parametrize("degrees", ["full", "sampled"])
def test_weights_are_of_these_degrees(checkerboard, degrees):
    graphs = user_item_graphs(checkerboard)
    sample, _ = DegreeThinning("multinomial", 0.5, degrees)(graphs)
    full = dense(graphs[0])
    expected = full * (dense(sample) > 0)
    if degrees == "sampled":
        weight = bipartite_norm(sample.edge_index, (24, 40))
        expected = torch.zeros_like(full)
        expected[sample.edge_index[1], sample.edge_index[0]] = weight
    torch.testing.assert_close(dense(sample), expected)


def test_another_graph_has_a_sample_of_its_own(checkerboard):
    thinning = DegreeThinning("multinomial", 0.0)
    few = checkerboard.clone()
    few["user", "interacts", "item"].edge_index = few["user", "interacts", "item"].edge_index[:, :9]
    for data in (checkerboard, few):
        graphs = user_item_graphs(data)
        assert torch.equal(dense(thinning(graphs)[0]), dense(graphs[0]))


@pytest.mark.parametrize(
    ("args", "match"),
    [
        (("all",), "mode must be one of 'bernoulli', 'multinomial' .got 'all'"),
        (("bernoulli", 1.0), r"ratio must lie in \[0, 1\) .got 1.0"),
        (("bernoulli", 0.5, "half"), "degrees must be one of 'full', 'sampled' .got 'half'"),
    ],
)
def test_bad_options(args, match):
    with pytest.raises(ValueError, match=match):
        DegreeThinning(*args)

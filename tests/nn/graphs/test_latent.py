import torch
import torch.nn.functional as F

from crane_pyg.nn import LatentItemGraph

WIDTHS = {"textual": 5, "visual": 12}


def nearest(x):
    x = F.normalize(x, dim=1)
    value, index = (x @ x.T).topk(3)
    return torch.zeros(len(x), len(x)).scatter(1, index, value)


def laplacian(a):
    scale = a.sum(1).rsqrt()
    return scale.view(-1, 1) * a * scale


def dense(graph):
    out = torch.zeros(graph.num_dst, graph.num_src)
    return out.index_put((graph.edge_index[1], graph.edge_index[0]), graph.weight)


def test_repr():
    assert repr(LatentItemGraph(40, WIDTHS)) == (
        "LatentItemGraph({'textual': 5, 'visual': 12}, k=10, skip=0.9)"
    )


def test_it_is_the_sum_of_raw_and_projected_neighbours(checkerboard):
    graph = LatentItemGraph(40, WIDTHS, 3, skip=0.3, feature_dim=4)
    torch.nn.init.normal_(graph.modality_logit)
    raw = learned = 0
    for share, m in zip(graph.modality_logit.softmax(0), WIDTHS, strict=True):
        x = checkerboard["item"][f"x_{m}"]
        raw = raw + share * laplacian(nearest(x))
        learned = learned + share * nearest(graph.lin[m](x))
    expected = 0.3 * raw + 0.7 * laplacian(learned)
    torch.testing.assert_close(dense(graph(checkerboard)), expected)


def test_trainable_features_start_as_those_of_the_data(checkerboard):
    graph = LatentItemGraph(40, WIDTHS, 3, trainable_features=True)
    graph.warm_start(checkerboard)
    fixed = LatentItemGraph(40, WIDTHS, 3)
    fixed.load_state_dict(graph.state_dict(), strict=False)
    assert torch.equal(dense(graph(checkerboard)), dense(fixed(checkerboard)))
    dense(graph(checkerboard)).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in graph.parameters())

import torch

from crane_pyg.nn.user_item import item_to_user_graph, user_item_graphs


def dense(graph):
    out = torch.zeros(graph.num_dst, graph.num_src)
    out[graph.edge_index[1], graph.edge_index[0]] = graph.weight
    return out


def test_the_graphs_of_a_checkerboard(checkerboard):
    user, item = checkerboard["user", "interacts", "item"].edge_index
    taken = torch.zeros(24, 40)
    taken[user, item] = 1
    laplacian = taken / (taken.sum(1, keepdim=True) * taken.sum(0)).sqrt()
    to_item, to_user = user_item_graphs(checkerboard)
    torch.testing.assert_close(dense(to_item), laplacian.T)
    torch.testing.assert_close(dense(to_user), laplacian)
    assert torch.equal(dense(item_to_user_graph(checkerboard)), taken)
    assert torch.equal(dense(to_user.unweighted()), taken)

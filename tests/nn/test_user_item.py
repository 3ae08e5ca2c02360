import torch

from crane_pyg.nn.user_item import (
    history_graph,
    item_to_user_graph,
    modality_masks,
    user_item_graphs,
)
from crane_pyg.ops import csr_graph


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


def test_a_user_has_the_modalities_of_any_item_they_took(checkerboard):
    checkerboard["item"].visual_mask[::2] = False  # what even users take
    checkerboard["item"].textual_mask[5] = False
    user, item = modality_masks(checkerboard, ["visual", "textual"])
    odd = torch.arange(24) % 2 == 1
    assert torch.equal(user, torch.stack([odd, torch.ones_like(odd)], dim=1))
    assert torch.equal(item[:, 0], checkerboard["item"].visual_mask)
    assert torch.equal(item[:, 1], checkerboard["item"].textual_mask)


def test_histories_of_some_users_in_any_order(checkerboard):
    to_user = user_item_graphs(checkerboard)[1]
    taken = dense(to_user.unweighted())
    users = torch.tensor([5, 0, 23, 5])
    assert torch.equal(dense(history_graph(to_user, users)), taken[users])
    assert dense(history_graph(to_user, users[:0])).shape == (0, 40)


def test_a_history_may_be_empty():
    graph = csr_graph(torch.tensor([[0, 2, 1], [0, 0, 2]]), size=(3, 4))
    history = history_graph(graph, torch.tensor([1, 0, 3]))
    assert dense(history).tolist() == [[0, 0, 0], [1, 0, 1], [0, 0, 0]]

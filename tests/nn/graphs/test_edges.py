import torch

from crane_pyg.nn.graphs import sum_edges


def test_sum_of_edges_by_hand():
    weight = torch.tensor([1.0, 2.0], requires_grad=True)
    parts = [
        (torch.tensor([[0, 1], [1, 0]]), weight),
        (torch.tensor([[1, 1], [0, 1]]), torch.tensor([10.0, 20.0])),
    ]
    edge_index, edge_weight = sum_edges(parts, (0.5, 2.0), 2)
    assert edge_index.tolist() == [[0, 1, 1], [1, 0, 1]]
    assert edge_weight.tolist() == [0.5, 21.0, 40.0]
    edge_weight.sum().backward()
    assert weight.grad.tolist() == [0.5, 0.5]

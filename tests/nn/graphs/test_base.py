import torch

from crane_pyg.nn import ItemGraph


class Fixed(ItemGraph):
    pass


class Learned(ItemGraph):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(2))


def test_a_graph_with_parameters_learns():
    assert not Fixed().learns
    graph = Learned()
    assert graph.learns
    assert not graph.requires_grad_(False).learns


def test_what_a_kind_need_not_say():
    graph = Fixed()
    assert graph.degree is None
    graph.reset_parameters()
    graph.start_epoch()
    graph.warm_start(None)

import torch
import torch.distributed as dist

from crane_pyg import ranks
from crane_pyg.nn.columns import Columns, DividedColumns
from crane_pyg.ops import csr_graph, spmm, unit_rows
from tests.together import run_together


def test_one_rank_has_all_columns():
    x, columns = torch.randn(4, 6), Columns()
    assert columns.whole(x)[0] is x
    assert columns.across(unit_rows, x).equal(unit_rows(x))
    assert columns.rows(x, torch.tensor([2, 0])).equal(x[[2, 0]])
    assert next(iter(columns.lengths([x]))) is x


def gradients(loss, *inputs):
    return [loss.detach(), *torch.autograd.grad(loss, inputs, retain_graph=True)]


def check_columns():
    whole = torch.randn(5, 6, requires_grad=True)
    mine = ranks.share(6)
    own = whole.detach()[:, mine].clone().requires_grad_()
    columns = DividedColumns([own])
    w, factor = torch.randn(6, 6, requires_grad=True), torch.randn(5, 6)

    # Everything is compared with the same formula on whole rows.
    a, b = columns.whole(own[[1, 1]], own.view(5, 1, -1))
    assert a.equal(whole[[1, 1]])
    assert b.equal(whole.unsqueeze(1))
    found = gradients((a @ w).square().sum() + (b * 3).sum(), own, w)
    wanted = gradients((whole[[1, 1]] @ w).square().sum() + (whole * 3).sum(), whole, w)
    assert_same(found, wanted, mine)

    def mix(x):
        return unit_rows(x @ w)

    mixed = columns.whole(columns.across(mix, own))[0]
    found = gradients((mixed * factor).sum(), own, w)
    assert_same(found, gradients((mix(whole) * factor).sum(), whole, w), mine)

    weight = torch.rand(6, requires_grad=True)
    edges = torch.tensor([[0, 1, 2, 3, 4, 4], [1, 0, 3, 2, 0, 3]])
    graph = csr_graph(edges, weight, size=(5, 5))
    walked = columns.whole(spmm(columns.graph(graph), own))[0]
    found = gradients((walked * factor).sum(), own, weight)
    assert_same(found, gradients((spmm(graph, whole) * factor).sum(), whole, weight), mine)

    found = torch.stack([x.square().sum() for x in columns.lengths([own, w])]).sum()
    wanted = whole.square().sum() + w.square().sum()
    assert_same(gradients(found, own, w), gradients(wanted, whole, w), mine)

    wants = torch.tensor([[4, 1], [0, 0]][dist.get_rank()])
    assert columns.rows(own, wants).equal(whole[wants])
    wants = torch.tensor([[3], []][dist.get_rank()], dtype=torch.long)
    assert columns.rows(own, wants).equal(whole[wants])


def assert_same(found, wanted, mine):
    loss, of_columns, of_all = found
    torch.testing.assert_close(loss, wanted[0])
    torch.testing.assert_close(of_columns, wanted[1][:, mine])
    torch.testing.assert_close(of_all, wanted[2])


def test_divided_columns_come_to_what_whole_ones_do():
    assert run_together(2, check_columns) == [0, 0]

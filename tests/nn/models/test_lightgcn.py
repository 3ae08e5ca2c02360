import torch
from torch_geometric.nn.models import LightGCN as PyGLightGCN
from torch_geometric.utils import to_undirected

from crane_pyg.nn.models import LightGCN


def test_repr(checkerboard):
    model = LightGCN.from_data(checkerboard, embedding_dim=8, num_layers=3)
    assert repr(model) == "LightGCN(24, 40, 8, num_layers=3)"


def test_it_equals_pyg_on_the_homogeneous_graph(checkerboard):
    model = LightGCN.from_data(checkerboard, embedding_dim=8, num_layers=3)
    peer = PyGLightGCN(64, 8, 3)
    with torch.no_grad():
        peer.embedding.weight.copy_(
            torch.cat([model.user_embedding.weight, model.item_embedding.weight])
        )
    edge_index = checkerboard["user", "interacts", "item"].edge_index
    homogeneous = to_undirected(torch.stack([edge_index[0], edge_index[1] + 24]))
    expected = peer.get_embedding(homogeneous)
    torch.testing.assert_close(torch.cat(model(checkerboard)), expected)

    (grad,) = torch.autograd.grad(expected.square().sum(), peer.embedding.weight)
    own = torch.autograd.grad(torch.cat(model(checkerboard)).square().sum(), model.parameters())
    torch.testing.assert_close(torch.cat(own), grad)


def test_loss_by_hand(checkerboard):
    model = LightGCN.from_data(checkerboard, embedding_dim=8, num_layers=0, l2=0.5)
    user, pos, neg = torch.tensor([0, 2]), torch.tensor([4, 6]), torch.tensor([1, 3])
    terms = model.loss(checkerboard, user, pos, neg)
    u, i, j = model.user_embedding(user), model.item_embedding(pos), model.item_embedding(neg)
    margin = (u * i).sum(1) - (u * j).sum(1)
    torch.testing.assert_close(terms["bpr"], -margin.sigmoid().log().mean())
    norms = u.square().sum(1) + i.square().sum(1) + j.square().sum(1)
    torch.testing.assert_close(terms["l2"], 0.5 * norms.mean() / 2)

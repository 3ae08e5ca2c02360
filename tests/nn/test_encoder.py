import pytest
import torch
import torch.nn.functional as F

from crane_pyg.nn import CollaborativeEncoder, DegreeThinning, light_gcn_propagation
from crane_pyg.nn.user_item import user_item_graphs


@pytest.fixture
def parts(checkerboard):
    return torch.randn(24, 6), torch.randn(40, 6), user_item_graphs(checkerboard)


def test_repr():
    assert str(CollaborativeEncoder(6, thinning=DegreeThinning())) == (
        "CollaborativeEncoder(num_layers=2, readout='mean', "
        "thinning=DegreeThinning('bernoulli', degrees='full'))"
    )


def test_by_default_it_is_light_gcn(parts):
    user, item, graphs = parts
    found = CollaborativeEncoder(6, 3)(*parts)
    torch.testing.assert_close(found, light_gcn_propagation(user, item, graphs, 3))


@pytest.mark.parametrize("readout", ["last", "sum", "mean"])
def test_weights_activation_and_readout(parts, readout):
    user, item, (to_item, to_user) = parts
    encoder = CollaborativeEncoder(6, 2, conv_weight=True, act="relu", readout=readout)
    a = torch.zeros(40, 24)
    a[to_item.edge_index[1], to_item.edge_index[0]] = to_item.weight
    users, items = [user], [item]
    for conv in encoder.convs:
        w = conv.lin.weight.T
        pair = F.relu(a.T @ items[-1] @ w), F.relu(a @ users[-1] @ w)
        users, items = [*users, pair[0]], [*items, pair[1]]
    layers = {"last": lambda x: x[-1], "sum": sum, "mean": lambda x: sum(x) / 3}[readout]
    torch.testing.assert_close(encoder(*parts), (layers(users), layers(items)))


@pytest.mark.parametrize(
    "options", [{}, {"readout": "sum"}, {"conv_weight": True}, {"act": "relu"}]
)
def test_some_users_and_items(parts, options):
    encoder = CollaborativeEncoder(6, 2, **options)
    users, items = torch.tensor([5, 23, 0]), torch.tensor([39, 2])
    user, item = encoder(*parts)
    torch.testing.assert_close(encoder(*parts, users, items), (user[users], item[items]))
    torch.testing.assert_close(encoder(*parts, users=users), (user[users], item))


def test_edges_are_dropped_in_training_alone(parts):
    encoder = CollaborativeEncoder(6, thinning=DegreeThinning())
    whole = CollaborativeEncoder(6)(*parts)[0]
    first, again = encoder(*parts)[0], encoder(*parts)[0]
    encoder.start_epoch()
    assert torch.equal(first, again)
    assert not torch.equal(encoder(*parts)[0], first)
    assert torch.equal(encoder.eval()(*parts)[0], whole)


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"readout": "max"}, "readout must be one of 'last', 'mean', 'sum' .got 'max'"),
        ({"act": "reluu"}, "Could not resolve 'reluu'"),
    ],
)
def test_bad_options(kwargs, match):
    with pytest.raises(ValueError, match=match):
        CollaborativeEncoder(**kwargs)

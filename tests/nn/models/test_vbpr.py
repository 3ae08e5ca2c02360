import copy

import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.models import VBPR

USER, POS, NEG = torch.tensor([0, 2, 2]), torch.tensor([4, 6, 4]), torch.tensor([1, 3, 3])


@pytest.fixture
def data(checkerboard):
    """In float64; item 4 has no text, item 6 nothing at all."""
    data = copy.copy(checkerboard)
    for m in ("textual", "visual"):
        data["item"][f"x_{m}"] = data["item"][f"x_{m}"].double()
    data["item"].textual_mask[[4, 6]] = False
    data["item"].visual_mask[6] = False
    return data


def dense(model, data):
    """Both sides of the score, item by item; a masked modality may hold anything."""
    state = model.state_dict()
    weight, bias = state["lin.weight"], state["lin.bias"]
    items = []
    for i, free in enumerate(state["item_embedding.weight"]):
        x = [
            data["item"][f"x_{m}"][i] * bool(data["item"][f"{m}_mask"][i])
            for m in ("textual", "visual")
        ]
        items.append(torch.cat([free, weight @ torch.cat(x) + bias]))
    return state["user_embedding.weight"], torch.stack(items)


def test_repr(checkerboard):
    model = VBPR.from_data(checkerboard, embedding_dim=8)
    assert repr(model) == "VBPR(24, 40, {'textual': 5, 'visual': 12}, 8)"


def test_the_features_are_a_second_half(data):
    model = VBPR.from_data(data, embedding_dim=4).double()
    torch.nn.init.normal_(model.lin.bias)
    user, item = model(data)
    expected_user, expected_item = dense(model, data)
    assert torch.equal(user, expected_user)
    torch.testing.assert_close(item, expected_item)
    torch.testing.assert_close(item[6, 4:], model.lin.bias)


@pytest.mark.parametrize("squared", [False, True])
def test_loss_by_hand(data, squared):
    model = VBPR.from_data(data, embedding_dim=4, l2=0.3, squared=squared).double()
    terms = model.loss(data, USER, POS, NEG)
    user, item = dense(model, data)
    bpr, squares = 0, [0, 0, 0]
    for triplet in zip(USER, POS, NEG, strict=True):
        u, i, j = (x[row] for x, row in zip((user, item, item), triplet, strict=True))
        bpr = bpr - torch.log(torch.sigmoid(u @ i - u @ j)) / 3
        squares = [total + x @ x for total, x in zip(squares, (u, i, j), strict=True)]
    torch.testing.assert_close(terms["bpr"], bpr)
    if squared:
        torch.testing.assert_close(terms["l2"], 0.3 * sum(squares) / 2 / 3)
    else:
        torch.testing.assert_close(terms["norm"], 0.3 * sum(s.sqrt() for s in squares) / 3)
    assert len(terms) == 2


def test_a_batch_has_the_gradient_of_the_whole(data):
    model = VBPR.from_data(data, embedding_dim=4, l2=0).double()
    grads = torch.autograd.grad(model.loss(data, USER, POS, NEG)["bpr"], model.parameters())
    user, item = model(data)
    margin = (user[USER] * (item[POS] - item[NEG])).sum(1)
    expected = torch.autograd.grad(-margin.sigmoid().log().mean(), model.parameters())
    for (name, _), a, b in zip(model.named_parameters(), grads, expected, strict=True):
        torch.testing.assert_close(a, b, msg=lambda text, name=name: f"{name}: {text}")


def test_the_projection_starts_as_one_matrix():
    model = VBPR(3, 4, {"textual": 300, "visual": 700}, 64)
    assert model.lin.weight.std().item() == pytest.approx((2 / 1064) ** 0.5, rel=0.02)
    assert (model.lin.bias == 0).all()


def test_a_set_without_features():
    data = build_hetero_data(
        torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0]), num_users=2, num_items=2
    )
    with pytest.raises(ValueError, match="must have item features"):
        VBPR.from_data(data)

import pytest
import torch

from crane_pyg.nn.models import BPR

USER, POS, NEG = torch.tensor([0, 2, 2]), torch.tensor([4, 6, 4]), torch.tensor([1, 3, 3])


def test_repr(checkerboard):
    assert repr(BPR.from_data(checkerboard, embedding_dim=8)) == "BPR(24, 40, 8)"


def test_the_embeddings_are_the_parameters(checkerboard):
    model = BPR.from_data(checkerboard, embedding_dim=8)
    user, item = model(checkerboard)
    assert torch.equal(user, model.state_dict()["user_embedding.weight"])
    assert torch.equal(item, model.state_dict()["item_embedding.weight"])
    assert user.std().item() == pytest.approx((2 / (24 + 8)) ** 0.5, rel=0.15)
    assert item.std().item() == pytest.approx((2 / (40 + 8)) ** 0.5, rel=0.15)


@pytest.mark.parametrize("squared", [False, True])
def test_loss_by_hand(checkerboard, squared):
    model = BPR.from_data(checkerboard, embedding_dim=8, l2=0.3, squared=squared).double()
    terms = model.loss(checkerboard, USER, POS, NEG)
    user, item = model(checkerboard)
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

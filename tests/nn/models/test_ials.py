import pytest
import torch

from crane_pyg.nn.models import IALS
from crane_pyg.schema import USER_TO_ITEM
from crane_pyg.training import fit


def dense_loss(model, data):
    """The objective of all pairs, as it is written."""
    taken = torch.zeros(24, 40, dtype=torch.float64)
    edges = data[USER_TO_ITEM].edge_index
    taken[edges[0], edges[1]] = 1
    user, item = model.user_embedding.double(), model.item_embedding.double()
    score = user @ item.T
    observed = (taken * (score - 1).square()).sum()
    l2_user = model.l2 * (taken.sum(1) + model.alpha0 * 40) ** model.nu
    l2_item = model.l2 * (taken.sum(0) + model.alpha0 * 24) ** model.nu
    norms = (l2_user * user.square().sum(1)).sum() + (l2_item * item.square().sum(1)).sum()
    return observed + model.alpha0 * score.square().sum() + norms


def test_repr(checkerboard):
    assert repr(IALS(3, 4)) == "IALS(3, 4, 64, l2=0.003, alpha0=0.1, nu=1)"


@pytest.mark.parametrize("nu", [0.0, 0.5, 1.0])
def test_a_pass_tells_the_loss_and_lowers_it(checkerboard, nu):
    model = IALS.from_data(checkerboard, embedding_dim=6, nu=nu, l2=0.01)
    losses = []
    for _ in range(6):
        loss = model.solve(checkerboard)["loss"]
        torch.testing.assert_close(
            loss.double(), dense_loss(model, checkerboard), rtol=1e-4, atol=0
        )
        losses.append(float(loss))
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > 1.01 * losses[-1]


def test_where_passes_end_the_loss_has_no_slope(checkerboard):
    model = IALS.from_data(checkerboard, embedding_dim=3, l2=0.05).double()
    for _ in range(200):
        model.solve(checkerboard)
    leaves = [x.clone().requires_grad_() for x in (model.user_embedding, model.item_embedding)]
    model.user_embedding, model.item_embedding = leaves
    slope = torch.autograd.grad(dense_loss(model, checkerboard), leaves)
    for x in slope:
        torch.testing.assert_close(x, torch.zeros_like(x), rtol=0, atol=1e-6)


def test_passes_go_on_until_validation_stops_them(checkerboard):
    model = IALS.from_data(checkerboard, embedding_dim=4)
    result = fit(model, checkerboard, epochs=50, patience=3, progress=False)
    assert result.best_epoch + 3 == result.epochs < 50
    assert "loss" in result.to_frame()


@pytest.mark.parametrize("name", ["l2", "alpha0", "std"])
def test_numbers_out_of_range_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be positive .got 0"):
        IALS(3, 4, **{name: 0})

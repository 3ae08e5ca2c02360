import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from crane_pyg.datasets import SyntheticMultimodal
from crane_pyg.nn.models import IALS
from crane_pyg.schema import USER_TO_ITEM, sizes
from crane_pyg.training import fit


def dense_loss(model, data):
    """The objective of all pairs, as it is written."""
    taken = torch.zeros(*sizes(data), dtype=torch.float64)
    edges = data[USER_TO_ITEM].edge_index
    taken[edges[0], edges[1]] = 1
    user, item = model.user_embedding.double(), model.item_embedding.double()
    score = user @ item.T
    observed = (taken * (score - 1).square()).sum()
    l2_user = model.l2 * (taken.sum(1) + model.alpha0 * taken.size(1)) ** model.nu
    l2_item = model.l2 * (taken.sum(0) + model.alpha0 * taken.size(0)) ** model.nu
    norms = (l2_user * user.square().sum(1)).sum() + (l2_item * item.square().sum(1)).sum()
    return observed + model.alpha0 * score.square().sum() + norms


def test_repr(checkerboard):
    assert repr(IALS(3, 4)) == "IALS(3, 4, 64, l2=0.01, alpha0=0.1, nu=1)"


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


def test_it_is_the_package_implicit_where_the_regulariser_is_flat():
    """A positive counts ``alpha`` times there and is wanted to score one, all else zero: scores are
    ours times ``1 + alpha0``, with ``alpha0 = 1 / (alpha - 1)``, ``l2 = regularization / alpha``.
    """
    als = pytest.importorskip("implicit.cpu.als")
    data, alpha, regularization = SyntheticMultimodal("tiny")[0], 11.0, 2.0
    edges, shape = data[USER_TO_ITEM].edge_index, sizes(data)
    taken = csr_matrix((np.ones(edges.size(1)), edges.numpy()), shape=shape)
    theirs = als.AlternatingLeastSquares(
        factors=8, regularization=regularization, alpha=alpha, iterations=100, use_cg=False,
        dtype=np.float64, num_threads=1, random_state=0,
    )  # fmt: skip
    theirs.fit(taken, show_progress=False)

    alpha0 = 1 / (alpha - 1)
    settings = {"embedding_dim": 8, "alpha0": alpha0, "l2": regularization / alpha, "nu": 0.0}
    ours, copied = (IALS.from_data(data, **settings).double() for _ in range(2))
    for _ in range(100):
        ours.solve(data)
    copied.user_embedding.copy_(torch.from_numpy(theirs.user_factors / (1 + alpha0) ** 0.5))
    copied.item_embedding.copy_(torch.from_numpy(theirs.item_factors / (1 + alpha0) ** 0.5))
    loss = dense_loss(ours, data)
    assert float(dense_loss(copied, data)) == pytest.approx(float(loss), rel=0.01)
    before = dense_loss(copied, data)
    copied.solve(data)  # where the one stops, the other has no step to take
    assert float(dense_loss(copied, data)) == pytest.approx(float(before), rel=1e-4)

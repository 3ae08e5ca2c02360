import numpy as np
import pytest
import torch
import torch.nn.functional as F

from crane_pyg import nn
from crane_pyg.serving.history_fit import HistoryFit
from crane_pyg.serving.scoring import unit_rows


def climbed(vector, taken, compared, temperature, rate, steps, on_sphere):
    """Each step by automatic differentiation of the log-likelihood, in double precision."""
    z, compared, taken = (torch.from_numpy(x).double() for x in (vector, compared, taken))
    square = compared.square().sum(1).mean()
    for _ in range(steps):
        z = z.detach().requires_grad_()
        unit = F.normalize(z, dim=0) if on_sphere else z
        liked = (taken @ unit / temperature).mean()
        (slope,) = torch.autograd.grad(liked - (compared @ unit / temperature).logsumexp(0), z)
        z = z + rate * temperature**2 / square * slope
        z = F.normalize(z, dim=0) if on_sphere else z
    return z.detach()


def drawn(on_sphere, n=30, d=5, seed=0):
    rng = np.random.default_rng(seed)
    item, vector = rng.standard_normal((n, d)), rng.standard_normal(d)
    if on_sphere:
        item /= np.linalg.norm(item, axis=1, keepdims=True)
        vector /= np.linalg.norm(vector)
    return item.astype(np.float32), vector.astype(np.float32)


@pytest.mark.parametrize("on_sphere", [True, False])
@pytest.mark.parametrize(
    ("temperature", "rate", "steps"), [(0.2, 3, 4), (1.0, 0.5, 1), (0.7, 2, 9)]
)
@pytest.mark.parametrize("history", [[3], [0, 29, 4, 4], list(range(30))])
def test_steps_climb_the_likelihood_of_the_history(on_sphere, temperature, rate, steps, history):
    item, vector = drawn(on_sphere)
    fit = HistoryFit(item, temperature, rate, steps, on_sphere)
    found = fit(vector, item[history])
    expected = climbed(vector, item[history], item, temperature, rate, steps, on_sphere)
    np.testing.assert_allclose(found.vector, expected, rtol=1e-4, atol=1e-5)
    # What is neither the start nor the mean of what was taken is a sum over the catalogue with
    # weights below zero, which come to as much as the history's.
    rest = found.vector - found.start * vector - found.taken * item[history].mean(axis=0)
    weights, *_ = np.linalg.lstsq(
        np.vstack([item.T, np.ones(30)]), np.append(rest, -found.taken), rcond=None
    )
    np.testing.assert_allclose(item.T @ weights, rest, atol=1e-4)


def test_no_step_changes_nothing_and_a_vector_of_zeros_starts():
    item, vector = drawn(True)
    assert HistoryFit(item, 0.2, 3, 0, True)(vector, item[:2]) == (pytest.approx(vector), 1, 0)
    found = HistoryFit(item, 0.2, 3, 4, True)(np.zeros(5, np.float32), item[:2])
    assert np.isfinite(found.vector).all()
    assert np.linalg.norm(found.vector) == pytest.approx(1, rel=1e-5)
    assert found.vector @ item[:2].mean(axis=0) > 0


def test_folded_in_users_find_their_own_kind(exported):
    """Items of one parity are taken by one kind of users."""
    _, shop = exported("crane", residual=None)
    history = ["item 4", "item 8", "item 12"]
    ids = shop.recommend_for_history(history, 10).ids
    assert all(int(name.split()[1]) % 2 == 0 for name in ids)
    vectors = shop.tables.vectors
    plain = unit_rows(vectors.fold_in.vector([4, 8, 12]))
    logit = vectors.item @ np.stack([plain, shop._scores.taste_for(np.array([4, 8, 12])).vector]).T
    likelihood = torch.from_numpy(logit / 0.2).log_softmax(0)[[4, 8, 12]].mean(0)
    assert likelihood[1] > likelihood[0] + 0.01


@pytest.mark.parametrize("similarity", ["cosine", "inner"])
def test_known_users_that_were_fitted_are_explained_as_new_ones(exported, monkeypatch, similarity):
    monkeypatch.setattr(nn.HistoryFit, "TRIED", (3,))

    def calibrate(self, scorer, _):
        return float(self.steps.fill_(3)), scorer()

    monkeypatch.setattr(nn.HistoryFit, "calibrate", calibrate)
    model, shop = exported("crane", residual=None, ranking_similarity=similarity)
    assert shop.about["fold_in"]["fit"]["steps"] == 3
    for user in (0, 7):
        history = shop.history_of(f"user {user}")[: int(shop.tables.trained[user])]
        known = shop.recommend(f"user {user}", 40, filter_seen=False)
        as_new = shop.recommend_for_history(history, 40, filter_seen=False)
        np.testing.assert_allclose(
            [dict(known)[name] for name in as_new.ids], as_new.scores, rtol=1e-4, atol=1e-5
        )
        one, other = (shop.explain(who, "item 5") for who in (f"user {user}", history))
        assert one.contributions == other.contributions
        assert one.total == pytest.approx(dict(known)["item 5"], rel=1e-4, abs=1e-5)

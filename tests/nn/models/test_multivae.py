import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.models import MultiVAE
from crane_pyg.training import fit

EDGES = torch.tensor([[0, 0, 0, 1, 1, 2, 2, 2, 3], [0, 1, 5, 2, 8, 3, 5, 7, 6]])


def tiny(**kwargs):
    """Five users, of whom the last took nothing, and nine items."""
    data = build_hetero_data(
        EDGES, torch.zeros(9, dtype=torch.long), num_users=5, num_items=9, features={}
    )
    return data, MultiVAE.from_data(data, embedding_dim=3, hidden_dim=6, **kwargs).double()


def encode(model, x):
    """Mean and log-variance of a user, of whom ``x`` [N] says what the encoder sees."""
    h = torch.tanh(model.encoder.weight.T @ x + model.encoder_bias)
    out = model.lin_latent.weight @ h + model.lin_latent.bias
    return out[:3], out[3:]


def logits(model, z):
    h = torch.tanh(model.lin_hidden.weight @ z + model.lin_hidden.bias)
    return model.decoder.weight @ h + model.decoder.bias


def history(user):
    x = torch.zeros(9, dtype=torch.double)
    x[EDGES[1, EDGES[0] == user]] = 1
    return x


def unit(x):
    return x / x.norm().clamp(min=1e-12)


def test_repr():
    assert repr(tiny()[1]) == "MultiVAE(9, 3, hidden_dim=6)"


def test_scores_are_the_logits_of_every_user():
    data, model = tiny()
    expected = torch.stack([logits(model, encode(model, unit(history(u)))[0]) for u in range(5)])
    torch.testing.assert_close(model.scores(*model(data)), expected)


def test_loss_and_gradients_by_hand():
    data, model = tiny(beta=0.3, anneal_steps=10)
    model.eval()
    model.step += 2
    user = torch.tensor([2, 0, 2])
    terms = model.loss(data, user, torch.tensor([3, 0, 5]), torch.tensor([1, 2, 1]))

    rating, kl = 0, 0
    for u in (0, 2):
        mean, log_var = encode(model, unit(history(u)))
        rating = rating - (history(u) * logits(model, mean).log_softmax(0)).sum() / 2
        gauss = torch.distributions.Normal(mean, (log_var / 2).exp())
        standard = torch.distributions.Normal(torch.zeros(3).double(), 1.0)
        kl = kl + 0.2 * torch.distributions.kl_divergence(gauss, standard).sum() / 2
    torch.testing.assert_close(terms["rating"], rating)
    torch.testing.assert_close(terms["kl"], kl)
    grads = torch.autograd.grad(terms["rating"] + terms["kl"], model.parameters())
    for grad, other in zip(
        grads, torch.autograd.grad(rating + kl, model.parameters()), strict=True
    ):
        torch.testing.assert_close(grad, other)


def test_training_drops_items_and_draws_noise():
    """The encoder sees the history without dropped items, the others scaled up."""
    data, model = tiny(anneal_steps=1, beta=1.0)
    batch = (torch.tensor([0]), torch.tensor([0]), torch.tensor([2]))
    found = {round(model.loss(data, *batch)["kl"].item(), 9) for _ in range(60)}
    x, items = unit(history(0)), [0, 1, 5]
    possible = set()
    for kept in range(8):
        seen = torch.zeros(9, dtype=torch.double)
        for place, i in enumerate(items):
            seen[i] = 2 * x[i] * (kept >> place & 1)
        mean, log_var = encode(model, seen)
        possible.add(round(((log_var.exp() + mean**2 - log_var - 1).sum() / 2).item(), 9))
    assert len(possible) == 8
    assert found <= possible
    assert len(found) > 4
    first, second = (model.loss(data, *batch)["rating"] for _ in range(2))
    assert first != second
    for a, b in zip(model(data), model(data), strict=True):
        assert torch.equal(a, b)


def test_kl_is_annealed_by_training_batches_up_to_beta():
    data, model = tiny(beta=0.3, anneal_steps=10)
    batch = (torch.tensor([0]), torch.tensor([0]), torch.tensor([2]))
    assert model.eval().loss(data, *batch)["kl"] == 0
    model.train()
    for _ in range(7):
        model.loss(data, *batch)
    assert model.step == 7
    model.eval()
    at_cap = model.loss(data, *batch)["kl"]
    model.step.fill_(1)
    torch.testing.assert_close(model.loss(data, *batch)["kl"] * 3, at_cap)


def test_an_epoch_visits_each_user_once(checkerboard, monkeypatch):
    seen = []
    loss = MultiVAE.loss

    def noted(model, data, user, pos, neg):
        seen.append(user)
        return loss(model, data, user, pos, neg)

    monkeypatch.setattr(MultiVAE, "loss", noted)
    model = MultiVAE.from_data(checkerboard, embedding_dim=3, hidden_dim=6)
    fit(model, checkerboard, epochs=1, batch_size=10, progress=False)
    assert [user.numel() for user in seen] == [10, 10, 4]
    assert torch.cat(seen).sort().values.tolist() == list(range(24))


def test_a_user_nobody_has_seen():
    """What the others learned serves one who comes with a history."""
    data, model = tiny()
    score = logits(model, encode(model, unit(history(0)))[0])
    other = build_hetero_data(
        torch.tensor([[0, 0, 0], [0, 1, 5]]),
        torch.zeros(3, dtype=torch.long),
        num_users=1,
        num_items=9,
        features={},
    )
    torch.testing.assert_close(model.scores(*model(other)), score.unsqueeze(0))


def test_the_authors_settings():
    preset = MultiVAE.preset("movielens-20m")
    assert repr(MultiVAE(9, **preset.model)) == "MultiVAE(9, 200, hidden_dim=600)"
    assert preset.fit["batch_size"] == pytest.approx(500)

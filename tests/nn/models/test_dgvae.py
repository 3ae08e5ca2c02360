import math

import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.models import DGVAE
from crane_pyg.nn.models import dgvae as module

MODALITIES = ("textual", "visual")


def tiny(**kwargs):
    """Five users, of whom the last took nothing, and nine items, which lack one or both."""
    torch.manual_seed(1)
    edge_index = torch.tensor([[0, 0, 0, 1, 1, 2, 2, 2, 3], [0, 1, 5, 2, 8, 3, 5, 7, 6]])
    data = build_hetero_data(
        edge_index,
        torch.zeros(9, dtype=torch.long),
        num_users=5,
        num_items=9,
        features={"textual": torch.randn(9, 3), "visual": torch.randn(9, 4)},
        masks={"textual": torch.arange(9) > 1, "visual": torch.arange(9) % 4 > 0},
    )
    for m in MODALITIES:
        data["item"][f"x_{m}"] = data["item"][f"x_{m}"].double()
    model = DGVAE.from_data(data, embedding_dim=6, num_factors=3, k=2, **kwargs)
    return data, model.double()


def unit(x):
    return x / x.norm().clamp(min=1e-12)


def nearest(x, mask, k):
    """[N, N], row i holds 1 / k at the k items most like item i, itself among them."""
    out = torch.zeros(len(x), len(x), dtype=torch.double)
    for i in mask.nonzero().view(-1).tolist():
        cosine = [float(unit(x[i]) @ unit(x[j])) if mask[j] else -2.0 for j in range(len(x))]
        for j in sorted(range(len(x)), key=lambda j: -cosine[j])[:k]:
            out[i, j] = 1 / k
    return out


def content(model, data):
    """The item graph [N, N] and every user's words [M, 2 * d_text]."""
    store = {m: (data["item"][f"x_{m}"], data["item"][f"{m}_mask"]) for m in MODALITIES}
    adj = {m: nearest(x, mask, 2) for m, (x, mask) in store.items()}
    x, has = store["textual"]
    text = torch.stack([unit(row) for row in x])
    text = torch.where(has.view(-1, 1), text - text[has].mean(0), 0.0)
    words = 0.96 * text + 0.04 * adj["visual"] @ text
    words = torch.stack([unit(x) for x in words])
    bags = []
    for user in range(5):
        total = sum((words[i] for u, i in pairs(data) if u == user), torch.zeros(3).double())
        bags.append(unit(torch.cat([total.clamp(min=0), (-total).clamp(min=0)])))
    return 0.96 * adj["textual"] + 0.04 * adj["visual"], torch.stack(bags)


def pairs(data):
    return data["user", "interacts", "item"].edge_index.T.tolist()


def membership(side):
    """[n, K] by the definition: a softmax of cosines with the prototypes over 0.1."""
    word, proto = side.word.weight, side.prototype.weight
    cosine = [[float(unit(w) @ unit(p)) for p in proto] for w in word]
    return torch.softmax(torch.tensor(cosine, dtype=torch.double) / 0.1, dim=1)


def encode(side, x, c, adj):
    """Means and log-variances [K, d] of one user."""
    means, log_vars = [], []
    for k in range(3):
        x_k = unit(x * c[:, k])
        h = side.lin.weight @ ((x_k @ adj @ adj + x_k) / 2) + side.lin.bias
        means.append(unit(h[:6]))
        log_vars.append(-h[6:])
    return means, log_vars


def attend(query, key):
    out = []
    for q in query:
        distance = torch.stack([(q - x).abs().sum() for x in key])
        near = torch.sigmoid(distance.mean() - distance)
        out.append(sum(torch.tanh(q @ x) * g * x for x, g in zip(key, near, strict=True)))
    return out


@torch.no_grad()
def naive(model, data):
    """Log-weights of items and words, and all that the losses need, user after user."""
    adj, bags = content(model, data)
    c_item, c_word = membership(model.items), membership(model.words)
    rows = []
    for user in range(5):
        x = torch.zeros(9, dtype=torch.double)
        x[[i for u, i in pairs(data) if u == user]] = 1
        item, log_var_item = encode(model.items, x, c_item, adj)
        word, log_var_word = encode(model.words, bags[user], c_word, torch.eye(6).double())
        shared = attend(word, item), attend(item, word)
        z = [a + b for a, b in zip(*shared, strict=True)]
        logits = []
        for side, c in ((model.items, c_item), (model.words, c_word)):
            terms = [
                [c[i, k] * math.exp(z[k] @ unit(w) / 0.1) for k in range(3)]
                for i, w in enumerate(side.word.weight)
            ]
            logits.append(torch.tensor(terms, dtype=torch.double).sum(1).log())
        rows.append((logits, x, bags[user], shared, (log_var_item, log_var_word)))
    return rows


def test_repr():
    _, model = tiny()
    assert repr(model) == (
        "DGVAE(9, {'textual': 3, 'visual': 4}, 6, num_factors=3, k=2, text='textual')"
    )


def test_scores_equal_the_mixture_over_factors():
    data, model = tiny()
    user, item = model(data)
    expected = torch.stack([row[0][0] for row in naive(model, data)])
    torch.testing.assert_close(model.scores(user, item), expected)


def test_users_in_blocks(monkeypatch):
    data, model = tiny()
    whole, _ = model(data)
    monkeypatch.setattr(module, "_BLOCK", 2)
    torch.testing.assert_close(model(data)[0], whole)


def test_loss_term_by_term():
    data, model = tiny(beta=0.3, anneal_steps=10, text_loss=0.5, mutual=0.7)
    model.eval()
    model.step += 2
    user = torch.tensor([2, 0, 2])
    terms = model.loss(data, user, torch.tensor([3, 0, 5]), torch.tensor([1, 2, 1]))

    rows = [row for u, row in enumerate(naive(model, data)) if u in (0, 2)]
    sums = dict.fromkeys(("rating", "rating_kl", "text", "text_kl", "mutual"), 0.0)
    for (by_item, by_word), x, bag, (a, b), log_vars in rows:
        sums["rating"] -= float((by_item.log_softmax(0) * x).sum()) / 2
        sums["text"] -= 0.5 * float((by_word.log_softmax(0) * bag).sum()) / 2
        for name, scale, log_var in zip(("rating_kl", "text_kl"), (0.2, 0.1), log_vars):
            kl = sum(float((v.exp() - 1 - v).sum()) / 2 for v in log_var)
            sums[name] += scale * kl / 2
        for i in range(3):
            f = [float(a[i] @ b[j]) for j in range(3)]
            across = sum(math.log1p(math.exp(f[j])) for j in range(3) if j != i) / 2
            sums["mutual"] += 0.7 * (across + math.log1p(math.exp(-f[i]))) / 3 / 2
    assert terms.keys() == sums.keys()
    for name, value in sums.items():
        assert terms[name].item() == pytest.approx(value, rel=1e-6), name


def test_loss_in_blocks_of_users(monkeypatch):
    data, model = tiny()
    triplets = (torch.arange(5), torch.arange(5), torch.arange(5))
    found = []
    for chunk in (module._CHUNK, 2 * 9 * 3):
        monkeypatch.setattr(module, "_CHUNK", chunk)
        terms = model.eval().loss(data, *triplets)
        grads = torch.autograd.grad(sum(terms.values()), model.parameters())
        found.append(list(terms.values()) + list(grads))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)


def test_kl_is_annealed_by_training_batches_up_to_beta():
    data, model = tiny(beta=0.3, anneal_steps=10)
    batch = (torch.tensor([0]), torch.tensor([0]), torch.tensor([2]))
    assert model.eval().loss(data, *batch)["rating_kl"] == 0
    model.train()
    for _ in range(7):
        model.loss(data, *batch)
    assert model.step == 7
    model.eval()
    at_cap = model.loss(data, *batch)["rating_kl"]
    model.step.fill_(1)
    torch.testing.assert_close(model.loss(data, *batch)["rating_kl"] * 3, at_cap)


def test_the_dense_path_that_drops_equals_the_sparse_one(monkeypatch):
    data, model = tiny(std=0.0)
    for side in (model.items, model.words):
        monkeypatch.setattr(side, "assign", lambda noise, assign=side.assign: assign(False))
    triplets = (torch.arange(5), torch.arange(5), torch.arange(5))
    expected = model.eval().loss(data, *triplets)
    model.train().dropout = 1e-12
    terms = model.loss(data, *triplets)
    for name in ("rating", "text", "mutual"):
        torch.testing.assert_close(terms[name], expected[name], msg=name)


def test_training_is_random_and_embeddings_are_not():
    data, model = tiny()
    batch = (torch.tensor([0, 1]), torch.tensor([0, 2]), torch.tensor([2, 0]))
    first, second = (model.loss(data, *batch)["rating"] for _ in range(2))
    assert first != second
    for a, b in zip(model(data), model(data), strict=True):
        assert torch.equal(a, b)


def test_which_modality_holds_the_words():
    assert DGVAE(9, {"text": 3, "visual": 4}).text == "text"
    assert DGVAE(9, {"acoustic": 3, "visual": 4}).text == "visual"
    assert DGVAE(9, {"acoustic": 3, "visual": 4}, text="acoustic").text == "acoustic"


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"modalities": {}}, "got no modality"),
        ({"modalities": {"visual": 4}, "text": "smell"}, "text must be one of.*got 'smell'"),
        ({"modalities": {"visual": 4}, "num_factors": 1}, "num_factors.*got 1"),
    ],
)
def test_bad_input(kwargs, message):
    with pytest.raises(ValueError, match=message):
        DGVAE(9, **kwargs)


def test_the_authors_settings_for_baby():
    preset = DGVAE.preset("baby")
    assert preset.model["num_factors"] == 3
    assert preset.model["mutual"] == 0.4
    DGVAE(9, {"textual": 3}, **preset.model)

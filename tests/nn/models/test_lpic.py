import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.models import LPIC


def tiny(**kwargs):
    """Four users, of whom the last took nothing, and six items, which lack one or both."""
    torch.manual_seed(1)
    data = build_hetero_data(
        torch.tensor([[0, 0, 1, 1, 2, 2, 2], [0, 1, 1, 2, 3, 4, 5]]),
        torch.zeros(7, dtype=torch.long),
        num_users=4,
        num_items=6,
        features={"textual": torch.randn(6, 3), "visual": torch.randn(6, 5)},
        masks={"textual": torch.arange(6) > 1, "visual": torch.arange(6) % 4 > 0},
    )
    return data, LPIC.from_data(data, embedding_dim=4, num_prompts=3, **kwargs).double()


def as_double(data):
    for m in ("textual", "visual"):
        data["item"][f"x_{m}"] = data["item"][f"x_{m}"].double()
    return data


def unit(x):
    return x / x.norm().clamp(min=1e-12)


def naive(model, data):
    """Views [M, 4, d] and [N, 4, d], node after node."""
    store = data["item"]
    taken = [[i for u, i in edges(data) if u == user] for user in range(4)]
    e_user, e_item = model.user_embedding.weight, model.item_embedding.weight
    items = []
    for i in range(6):
        views = [e_item[i]]
        for m in ("textual", "visual"):
            x = unit(store[f"x_{m}"][i]) * store[f"{m}_mask"][i]
            views.append(model.lin[m].weight @ x)
        items.append([*views, model.fuse.weight @ torch.cat(views)])
    users = []
    for u in range(4):
        views = [e_user[u]]
        for v in (1, 2, 3):
            query = sum((items[i][v] + items[i][0] for i in taken[u]), torch.zeros(4).double())
            prompt = model.prompt[v - 1]
            cosine = torch.stack([unit(query) @ unit(p) for p in prompt])
            attention = (cosine / 0.2).softmax(0)
            views.append(e_user[u] + sum(a * p for a, p in zip(attention, prompt, strict=True)))
        users.append(views)

    adj = torch.zeros(10, 10, dtype=torch.double)
    for u, i in edges(data):
        weight = (len(taken[u]) * sum(i in row for row in taken)) ** -0.5
        adj[u, 4 + i] = adj[4 + i, u] = weight
    x = torch.stack([torch.stack(views) for views in users + items]).view(10, -1)
    out = ((x + adj @ x + adj @ adj @ x) / 3).view(10, 4, 4)
    return out[:4], out[4:]


def edges(data):
    return data["user", "interacts", "item"].edge_index.T.tolist()


def info_nce(x, y):
    total = 0.0
    for i in range(len(x)):
        logits = torch.stack([unit(x[i]) @ unit(other) for other in y]) / 0.2
        total -= logits.log_softmax(0)[i]
    return total / max(1, len(x))


def test_repr():
    _, model = tiny()
    assert repr(model) == (
        "LPIC(4, 6, {'textual': 3, 'visual': 5}, 4, num_layers=2, num_prompts=3)"
    )


def test_views_equal_the_definition():
    data, model = tiny()
    data = as_double(data)
    user, item = naive(model, data)
    torch.testing.assert_close(model(data)[0], user.flatten(1))
    torch.testing.assert_close(model(data)[1], item.flatten(1))


def test_loss_term_by_term():
    data, model = tiny(beta=0.5, align=0.25, l2=0.1)
    data = as_double(data)
    user, pos, neg = (
        torch.tensor([0, 2, 2, 1]),
        torch.tensor([1, 4, 3, 1]),
        torch.tensor([3, 0, 1, 5]),
    )
    terms = model.loss(data, user, pos, neg)

    h_user, h_item = naive(model, data)
    margin = (h_user[user] * (h_item[pos] - h_item[neg])).sum((1, 2))
    torch.testing.assert_close(terms["bpr"], -margin.sigmoid().log().mean())
    guided = aligned = 0.0
    for v in (1, 2, 3):
        here = [0, 1, 2]
        mask = {1: data["item"].textual_mask, 2: data["item"].visual_mask}.get(v)
        there = [i for i in (1, 3, 4) if mask is None or mask[i]]
        for rows in (h_user[here], h_item[there]):
            guided = guided + info_nce(rows[:, v], rows[:, 0])
            aligned = aligned + (info_nce(rows[:, v], rows[:, 3]) if v < 3 else 0)
    torch.testing.assert_close(terms["contrastive"], 0.5 * guided)
    torch.testing.assert_close(terms["align"], 0.25 * aligned)
    u, i, j = model.user_embedding(user), model.item_embedding(pos), model.item_embedding(neg)
    norms = u.square().sum(1) + i.square().sum(1) + j.square().sum(1)
    torch.testing.assert_close(terms["l2"], 0.1 * norms.mean() / 2)


def test_what_an_item_lacks_does_not_count():
    data, model = tiny()
    before = model(as_double(data))
    data["item"].x_textual = data["item"].x_textual.masked_fill(
        ~data["item"].textual_mask.unsqueeze(1), 7.0
    )
    for a, b in zip(before, model(data), strict=True):
        torch.testing.assert_close(a, b)


def test_a_batch_of_items_without_a_modality():
    data, model = tiny()
    terms = model.loss(as_double(data), torch.tensor([0]), torch.tensor([0]), torch.tensor([1]))
    assert all(term.isfinite() for term in terms.values())


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"modalities": {}}, "got no modality"),
        ({"modalities": {"visual": 4}, "num_prompts": 0}, "num_prompts.*got 0"),
    ],
)
def test_bad_input(kwargs, message):
    with pytest.raises(ValueError, match=message):
        LPIC(4, 6, **kwargs)

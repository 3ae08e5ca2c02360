import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.models import SimpleX
from crane_pyg.nn.objectives import BPRLoss, CosineContrastive

EDGES = torch.tensor([[0, 0, 0, 1, 1, 2, 2, 2, 3], [0, 1, 5, 2, 5, 3, 5, 1, 5]])
BATCH = torch.tensor([0, 2, 2, 3]), torch.tensor([5, 1, 3, 5]), torch.tensor([2, 0, 2, 6])


def tiny(**kwargs):
    """Five users, of whom the last took nothing, and seven items."""
    data = build_hetero_data(
        EDGES, torch.zeros(9, dtype=torch.long), num_users=5, num_items=7, features={}
    )
    return data, SimpleX.from_data(data, embedding_dim=4, user_weight=0.3, **kwargs).double()


def users(model):
    rows = []
    for u in range(5):
        taken = EDGES[1, EDGES[0] == u]
        mean = model.item_embedding.weight[taken].sum(0) / max(1, len(taken))
        rows.append(0.3 * model.user_embedding.weight[u] + 0.7 * model.lin.weight @ mean)
    return torch.stack(rows)


def test_repr():
    assert repr(tiny()[1]) == "SimpleX(5, 7, 4, user_weight=0.3)"


def test_a_user_is_a_vector_and_the_mean_of_their_items():
    data, model = tiny()
    user, item = model(data)
    torch.testing.assert_close(user, users(model))
    assert torch.equal(item, model.item_embedding.weight)
    cosines = F.cosine_similarity(user.unsqueeze(1), item, dim=2)
    torch.testing.assert_close(model.scores(user, item), cosines)


def test_loss_and_gradients_by_hand():
    ranking = CosineContrastive(margin=-0.2, negative_weight=3.0)
    data, model = tiny(ranking=ranking, l2=0.5)
    model.eval()
    user, item = users(model), model.item_embedding.weight
    loss, squares = 0, 0
    for u, i, j in zip(*BATCH, strict=True):
        others = [k for k in (0, 2, 6) if k != i]
        near = sum((F.cosine_similarity(user[u], item[k], 0) + 0.2).clamp(min=0) for k in others)
        loss = loss + 1 - F.cosine_similarity(user[u], item[i], 0) + 3.0 * near / len(others)
        rows = model.user_embedding.weight[u], item[i], item[j]
        squares = squares + sum(row.square().sum() for row in rows)
    terms = model.loss(data, *BATCH)
    torch.testing.assert_close(terms["ccl"], loss / 4)
    torch.testing.assert_close(terms["l2"], 0.5 * squares / 2 / 4)
    grads = torch.autograd.grad(terms["ccl"] + terms["l2"], model.parameters())
    expected = torch.autograd.grad(loss / 4 + 0.5 * squares / 8, model.parameters())
    for grad, other in zip(grads, expected, strict=True):
        torch.testing.assert_close(grad, other)


def test_training_drops_from_users_alone():
    data, model = tiny(dropout=0.5, ranking=BPRLoss())
    pos, neg = (model.item_embedding.weight[ids] for ids in BATCH[1:])
    found = {round(model.loss(data, *(x[:1] for x in BATCH))["bpr"].item(), 6) for _ in range(99)}
    possible = set()
    for kept in range(16):
        mask = torch.tensor([kept >> place & 1 for place in range(4)]) * 2
        margin = (mask * users(model)[0]) @ (pos[0] - neg[0])
        possible.add(round(F.softplus(-margin).item(), 6))
    assert len(possible) == 16
    assert found <= possible
    assert len(found) > 8


def test_settings_that_name_no_ranking_loss_mean_its_own(checkerboard):
    assert SimpleX.settings()["ranking"].default == "ccl"
    model = SimpleX.from_settings(checkerboard, ranking_margin=0.7)
    assert model.objective.ranking == CosineContrastive(margin=0.7)
    assert SimpleX.from_settings(checkerboard, ranking="bpr").objective.ranking == BPRLoss()


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_either_part_alone(weight):
    data, _ = tiny()
    model = SimpleX.from_data(data, embedding_dim=4, user_weight=weight)
    user, _ = model(data)
    if weight == 1:
        assert torch.equal(user, model.user_embedding.weight)
    else:
        assert (user[4] == 0).all()
        assert user[:4].any(dim=1).all()

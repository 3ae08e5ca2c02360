import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.models import MODELS
from crane_pyg.training import fit
from crane_pyg.training.growth import grow


def made_of(num_users, num_items):
    """Even users like even items, of whom there may be more or fewer."""
    pairs = [(u, i) for u in range(num_users) for i in range(num_items) if u % 2 == i % 2]
    edges = torch.tensor(pairs).T
    label = (edges.sum(0) % 7 == 3).long()
    centre = torch.tensor([[3.0, 0, 1], [0, 3, 0]])
    draw = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    x = centre[torch.arange(num_items) % 2] + 0.1 * draw[:num_items]
    return build_hetero_data(
        edges, label, num_users=num_users, num_items=num_items, features={"visual": x}
    )


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_grown_model_ranks_on(name, checkerboard):
    before, after = made_of(14, 20), made_of(17, 24)
    small = {"embedding_dim": 8, "k": 3}
    small = {key: value for key, value in small.items() if key in MODELS[name].settings()}
    old = MODELS[name].from_settings(before, **small)
    fit(old, before, epochs=2, batch_size=32, progress=False)
    new = MODELS[name].skeleton(after, **small | dict(old.resolved))
    grow(old, new, (14, 20), after)
    state, kept = new.state_dict(), old.state_dict()
    for key in ("user_embedding.weight", "item_embedding.weight"):
        if key in kept:
            torch.testing.assert_close(state[key][: len(kept[key])], kept[key])
    fit(new, after, epochs=1, batch_size=32, progress=False)
    score = new.scorer(after)(torch.arange(17))
    assert score.shape == (17, 24)
    assert score.isfinite().all()


def test_new_rows_are_what_fold_in_and_content_say():
    before, after = made_of(14, 20), made_of(17, 24)
    old = MODELS["crane"].from_data(before, embedding_dim=8, k=3)
    new = MODELS["crane"].skeleton(after, embedding_dim=8, k=3, **old.resolved)
    grow(old, new, (14, 20), after)
    assert not new.user_embedding.weight[14:].any()
    rows = new.item_embedding.weight
    for item in (20, 21, 22, 23):  # of those of their parity, whom they look like
        alike = rows[torch.arange(item % 2, 20, 2)]
        assert (rows[item] <= alike.max(0).values + 1e-6).all()
        assert (rows[item] >= alike.min(0).values - 1e-6).all()
        torch.testing.assert_close(rows[item], alike.mean(0), rtol=0.2, atol=0.1)
    assert int(new.item_graph.epoch) == 0


def test_a_model_without_propagation_starts_new_users_from_their_items():
    before, after = made_of(14, 20), made_of(17, 24)
    old = MODELS["bpr"].from_data(before, embedding_dim=8)
    new = MODELS["bpr"].skeleton(after, embedding_dim=8)
    grow(old, new, (14, 20), after)
    taken = after["user", "interacts", "item"].edge_index
    mean = new.item_embedding.weight[taken[1, taken[0] == 15]].mean(0)
    user = new.user_embedding.weight[15]
    torch.testing.assert_close(user / user.norm(), mean / mean.norm())


def test_nothing_may_become_less():
    model = MODELS["bpr"].from_data(made_of(14, 20), embedding_dim=8)
    with pytest.raises(ValueError, match="must not become fewer"):
        grow(model, model, (14, 21), made_of(14, 20))

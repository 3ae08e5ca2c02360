import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.linear import ItemKNN


def world(cold=2):
    """Items of two kinds by looks and sound; the last ``cold`` of each kind were never taken."""
    generator = torch.Generator().manual_seed(0)
    kind = torch.arange(12) % 2
    pairs = [(u, i) for u in range(6) for i in range(12 - 2 * cold) if u % 2 == i % 2]
    features = {
        m: 5 + torch.randn(2, width, generator=generator)[kind] * 3
        for m, width in (("visual", 4), ("acoustic", 3))
    }
    features = {m: x + 0.1 * torch.randn(x.shape, generator=generator) for m, x in features.items()}
    edges = torch.tensor(pairs).T
    label = torch.zeros(edges.size(1), dtype=torch.long)
    return build_hetero_data(edges, label, num_users=6, num_items=12, features=features)


def test_repr():
    assert repr(ItemKNN(5, k=3)) == (
        "ItemKNN(5, k=3, by='behaviour', weighting='cosine', shrinkage=10)"
    )


def test_by_content_similarity_is_the_mean_cosine_of_centred_features():
    data = world()
    model = ItemKNN(12, k=4, by="content")
    model.solve(data)
    cosines = []
    for m in ("visual", "acoustic"):
        x = F.normalize(data["item"][f"x_{m}"] - data["item"][f"x_{m}"].mean(0), dim=1)
        cosines.append(x @ x.T)
    wanted = (sum(cosines) / 2).fill_diagonal_(-2)
    source, target = model.edge_index
    torch.testing.assert_close(model.value, wanted[target, source])
    assert torch.equal(torch.bincount(target), torch.full((12,), 4))
    for i in range(12):
        assert set(source[target == i].tolist()) == set(wanted[i].topk(4).indices.tolist())


def test_by_content_what_nobody_took_is_ranked():
    data = world()
    by_content, by_behaviour = ItemKNN(12, k=4, by="content"), ItemKNN(12, k=4)
    by_content.solve(data)
    by_behaviour.solve(data)
    user = torch.arange(6)
    cold = by_content(data, user)[:, 8:]
    assert torch.equal(cold > 0, user.unsqueeze(1) % 2 == torch.arange(4) % 2)
    assert not by_behaviour(data, user)[:, 8:].any()


def test_by_content_there_are_no_more_neighbours_than_items():
    data = world()
    model = ItemKNN(12, k=50, by="content")
    model.solve(data)
    assert model.value.numel() == 12 * 11
    del data["item"].x_visual, data["item"].x_acoustic
    with pytest.raises(ValueError, match="features"):
        model.solve(data)


def test_unknown_choices_are_refused():
    with pytest.raises(ValueError, match="by must be one of 'behaviour', 'content'.*'name'"):
        ItemKNN(5, by="name")
    with pytest.raises(ValueError, match="weighting must be one of.*'tfidf'"):
        ItemKNN(5, weighting="tfidf")

import math
from itertools import permutations

import pytest
import torch
from torch_geometric.metrics import LinkPredDiversity

from crane_pyg.choices import options_of
from crane_pyg.datasets import build_hetero_data
from crane_pyg.training import evaluate
from crane_pyg.training.metrics import (
    METRICS,
    ContentDiversity,
    Metric,
    build_metrics,
    is_better_high,
)


def cosine(x, y):
    x, y = x.double(), y.double()
    return float(x @ y / (x.norm() * y.norm()))


def random_data(num_users=37, num_items=53, num_pairs=600):
    key = torch.randperm(num_users * num_items)[:num_pairs]
    return build_hetero_data(
        torch.stack([key // num_items, key % num_items]),
        torch.randint(3, (num_pairs,)),
        num_users=num_users,
        num_items=num_items,
        features={"text": torch.rand(num_items, 5), "image": torch.rand(num_items, 3)},
        masks={"image": torch.arange(num_items) % 4 > 0},
    )


def lists(score, truth, hidden, k):
    """What each user wants, and the k best items of those that are not left out."""
    for user in sorted({u for u, _ in truth}):
        banned = {i for u, i in hidden if u == user}
        ranking = sorted(range(score.size(1)), key=lambda i: -score[user, i])
        yield {i for u, i in truth if u == user}, [i for i in ranking if i not in banned][:k]


def of_one_list(wanted, top, k, popularity):
    """The definitions, for one user."""
    hit = [item in wanted for item in top]
    precision = [sum(hit[: r + 1]) / (r + 1) for r in range(k)]
    ideal = sum(1 / math.log2(r + 2) for r in range(min(k, len(wanted))))
    return {
        "Recall": sum(hit) / len(wanted),
        "NDCG": sum(1 / math.log2(r + 2) for r in range(k) if hit[r]) / ideal,
        "Precision": sum(hit) / k,
        "HitRate": float(any(hit)),
        "MRR": 1 / (hit.index(True) + 1) if any(hit) else 0.0,
        "MAP": sum(p for p, h in zip(precision, hit) if h) / min(k, len(wanted)),
        "Popularity": sum(popularity[item] for item in top) / k,
    }


def diversity(data, top):
    """One less the mean cosine of the list's pairs, which is 0 where one lacks the modality."""
    alike = 0.0
    for name in ("text", "image"):
        x, mask = data["item"][f"x_{name}"], data["item"][f"{name}_mask"]
        x = x - x[mask].mean(dim=0)
        alike += sum(cosine(x[i], x[j]) for i, j in permutations(top, 2) if mask[i] and mask[j])
    return 1 - alike / 2 / (len(top) * (len(top) - 1))


@pytest.mark.parametrize("split", ["val", "test"])
@pytest.mark.parametrize("batch_size", [16, 1000])
def test_every_metric_is_its_definition(fixed, split, batch_size):
    data, score = random_data(), torch.randn(37, 53)
    out = evaluate(
        fixed(score), data, split, ks=(3, 10), metrics=options_of(Metric), batch_size=batch_size
    )
    assert list(out) == [f"{name}@{k}" for k in (3, 10) for name in options_of(Metric)]
    store = data["user", "interacts", "item"]
    hidden, truth = store.edge_index.T.tolist(), store[f"{split}_edge_label_index"].T.tolist()
    popularity = [sum(i == item for _, i in hidden) for item in range(53)]
    if split == "test":
        hidden = hidden + store.val_edge_label_index.T.tolist()
    for k in (3, 10):
        found = list(lists(score, truth, hidden, k))
        rows = [of_one_list(wanted, top, k, popularity) for wanted, top in found]
        for name in rows[0]:
            mean = sum(row[name] for row in rows) / len(rows)
            assert out[f"{name}@{k}"] == pytest.approx(mean, rel=1e-5), name
        covered = {item for _, top in found for item in top}
        assert out[f"Coverage@{k}"] == pytest.approx(len(covered) / 53)
        unlike = [diversity(data, top) for _, top in found]
        assert out[f"Diversity@{k}"] == pytest.approx(sum(unlike) / len(unlike), rel=1e-5)


def test_a_list_one_can_draw(fixed):
    # Scores fall with the item's number; items 2 and 3 are wanted, item 0 is taken.
    pairs = torch.tensor([[0, 0, 0, 1, 1], [0, 2, 3, 1, 4]])
    data = build_hetero_data(pairs, torch.tensor([0, 1, 1, 0, 0]), num_users=2, num_items=5)
    model = fixed(torch.tensor([5.0, 4.0, 3.0, 2.0, 1.0]).repeat(2, 1))
    names = ("Precision", "HitRate", "MRR", "MAP", "Coverage", "Popularity")
    # The list is 1, 2, 3; only item 1 was taken in training, by the other user.
    expected = [2 / 3, 1, 1 / 2, (1 / 2 + 2 / 3) / 2, 3 / 5, 1 / 3]
    out = evaluate(model, data, ks=(3,), metrics=names)
    assert list(out.values()) == pytest.approx(expected)


def test_diversity_of_one_hot_categories_is_pygs():
    category = torch.randint(4, (30,))
    ours = ContentDiversity(6, torch.eye(4)[category])
    theirs = LinkPredDiversity(6, category)
    for size in (7, 1):
        top = torch.rand(size, 30).topk(8).indices
        for metric in (ours, theirs):
            metric.update(top, torch.empty(2, 0, dtype=torch.long))
    assert float(ours.compute()) == pytest.approx(float(theirs.compute()), rel=1e-6)


def test_only_being_popular_is_no_merit():
    assert set(METRICS) == set(options_of(Metric))
    assert [name for name in METRICS if not is_better_high(f"{name}@20")] == ["Popularity"]


@pytest.mark.parametrize(
    ("names", "ks", "match"),
    [
        (("Recall", "AUC"), (10,), "metric must be one of 'Recall', 'NDCG', .* .got 'AUC'"),
        ((), (10,), r"there must be a metric .got \(\)"),
        (("MRR",), (), r"there must be a cut-off .got ks=\(\)"),
        (("Diversity",), (1, 5), "Diversity needs lists of at least two items .got k=1"),
    ],
)
def test_bad_arguments(names, ks, match):
    with pytest.raises(ValueError, match=match):
        build_metrics(names, ks, random_data())


def test_diversity_needs_features():
    data = build_hetero_data(torch.tensor([[0], [1]]), torch.tensor([0]), num_users=1, num_items=2)
    with pytest.raises(ValueError, match="the data must have item features"):
        build_metrics(["Diversity"], [2], data)

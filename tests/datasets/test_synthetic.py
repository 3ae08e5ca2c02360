import pytest
import torch
from torch.nn.functional import normalize

from crane_pyg.datasets import SyntheticMultimodal, modalities

EDGE = ("user", "interacts", "item")
KEYS = ("edge_index", "val_edge_label_index", "test_edge_label_index")


def all_pairs(data):
    return torch.cat([data[EDGE][key] for key in KEYS], dim=1)


def cluster_agreement(x, cluster, k=5):
    """Share of the k nearest neighbours by cosine that lie in the same planted cluster."""
    x = normalize(x - x.mean(dim=0), dim=1)
    neighbour = (x @ x.T).fill_diagonal_(-2).topk(k).indices
    return float((cluster[neighbour] == cluster[:, None]).float().mean())


def check_counts(dataset, num_users, num_items, num_interactions):
    data = dataset[0]
    data.validate()
    assert data["user"].num_nodes == num_users
    assert data["item"].num_nodes == num_items
    pairs = all_pairs(data)
    key = pairs[0] * num_items + pairs[1]
    assert key.unique().numel() == pairs.size(1) == num_interactions
    assert pairs[0].bincount(minlength=num_users).min() >= 5
    assert pairs[1].bincount(minlength=num_items).min() >= 1
    sizes = [data[EDGE][key].size(1) for key in KEYS]
    tenth = num_interactions // 10
    assert sizes == [num_interactions - 2 * tenth, tenth, tenth]


def test_repr():
    dataset = SyntheticMultimodal()
    assert repr(dataset) == (
        "SyntheticMultimodal('tiny', num_users=300, num_items=200, num_interactions=4500)"
    )
    assert modalities(dataset[0]) == {"textual": 32, "visual": 64}
    assert dataset[0]["item"].cluster.shape == (200,)


@pytest.mark.parametrize(
    ("preset", "counts"),
    [
        ("tiny", (300, 200, 4_500)),
        ("demo", (2_000, 1_200, 30_000)),
        ("baby", (19_445, 7_050, 160_792)),
        pytest.param("sports", (35_598, 18_357, 296_337), marks=pytest.mark.slow),
        pytest.param("clothing", (39_387, 23_033, 278_677), marks=pytest.mark.slow),
        pytest.param("electronics", (192_403, 63_001, 1_689_188), marks=pytest.mark.slow),
    ],
)
def test_counts(preset, counts):
    check_counts(SyntheticMultimodal(preset, visual_dim=8, textual_dim=8), *counts)


def test_widths_of_the_paper():
    data = SyntheticMultimodal("baby", scale=0.05)[0]
    assert modalities(data) == {"textual": 384, "visual": 4096}


def test_scale():
    check_counts(SyntheticMultimodal("demo", scale=0.1), 200, 120, 3_000)
    check_counts(SyntheticMultimodal("baby", scale=0.1, visual_dim=4), 1_944, 705, 16_079)


def test_equal_seeds_give_equal_data():
    first, second = SyntheticMultimodal(seed=1)[0], SyntheticMultimodal(seed=1)[0]
    for key, value in first["item"].items():
        assert key == "num_nodes" or torch.equal(value, second["item"][key])
    for key in KEYS:
        assert torch.equal(first[EDGE][key], second[EDGE][key])
    other = SyntheticMultimodal(seed=2)[0]
    assert not torch.equal(first["item"].cluster, other["item"].cluster)


def test_cold_items():
    warm, cold = SyntheticMultimodal()[0], SyntheticMultimodal(split="cold")[0]
    key = [pairs[0] * 200 + pairs[1] for pairs in (all_pairs(warm), all_pairs(cold))]
    assert torch.equal(key[0].sort().values, key[1].sort().values)
    train, val, test = ({*cold[EDGE][key][1].tolist()} for key in KEYS)
    assert (len(train), len(val), len(test)) == (180, 10, 10)
    assert train | val | test == {*range(200)}


def test_interactions_do_not_depend_on_widths_or_missing_modalities():
    first = SyntheticMultimodal()[0]
    second = SyntheticMultimodal(visual_dim=5, textual_dim=3, missing_rate=0.5)[0]
    assert torch.equal(all_pairs(first), all_pairs(second))
    assert modalities(second) == {"textual": 3, "visual": 5}


def test_missing_modalities():
    dataset = SyntheticMultimodal(missing_rate=0.25)
    item = dataset[0]["item"]
    for name in ("visual", "textual"):
        assert torch.equal(item[f"x_{name}"].ne(0).any(dim=1), item[f"{name}_mask"])
    assert dataset.report.num_missing == {"textual": 50, "visual": 50}
    assert not torch.equal(item.visual_mask, item.textual_mask)


def test_degrees_are_long_tailed():
    for degree in (row.bincount() for row in all_pairs(SyntheticMultimodal("demo")[0])):
        assert degree.max() > 8 * degree.median()


def test_each_modality_shows_a_part_of_the_clusters():
    item = SyntheticMultimodal("demo")[0]["item"]
    chance = float((item.cluster.bincount() / item.num_nodes).square().sum())
    visual = cluster_agreement(item.x_visual, item.cluster)
    textual = cluster_agreement(item.x_textual, item.cluster)
    both = torch.cat([normalize(item.x_visual), normalize(item.x_textual)], dim=1)
    assert min(visual, textual) > 5 * chance
    assert cluster_agreement(both, item.cluster) > max(visual, textual) + 0.2
    assert cluster_agreement(both, item.cluster) > 12 * chance


def test_features_tell_what_a_user_likes():
    data = SyntheticMultimodal("demo")[0]
    num_users, num_items = data["user"].num_nodes, data["item"].num_nodes
    train, test = torch.zeros(2, num_users, num_items)
    train[tuple(data[EDGE].edge_index)] = 1.0
    test[tuple(data[EDGE].test_edge_label_index)] = 1.0
    popularity = train.sum(dim=0)

    def recall(score):
        top = score.masked_fill(train > 0, -torch.inf).topk(20).indices
        return float(test.gather(1, top).sum() / test.sum())

    x = torch.cat([normalize(data["item"][key]) for key in ("x_visual", "x_textual")], dim=1)
    x = normalize(x - x.mean(dim=0))
    by_taste = recall(((train @ x) @ x.T).clamp(min=0.0) * popularity.sqrt())
    assert by_taste > 1.5 * recall(popularity.expand(num_users, -1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "huge"}, "got 'huge'"),
        ({"scale": 0.0}, r"`scale`.*got 0\.0"),
        ({"scale": 1.5}, r"`scale`.*got 1\.5"),
        ({"scale": 0.01}, r"`scale`.*3 users and 2 items.*got 0\.01"),
        ({"missing_rate": 1.0}, r"`missing_rate`.*got 1\.0"),
        ({"missing_rate": -0.1}, r"`missing_rate`.*got -0\.1"),
        ({"visual_dim": 0}, r"`visual_dim`.*got \(0, 32\)"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        SyntheticMultimodal(**arguments)


def test_transforms():
    dataset = SyntheticMultimodal(
        transform=lambda data: data["item"].x_visual.size(1), pre_transform=lambda data: data
    )
    assert dataset[0] == 64

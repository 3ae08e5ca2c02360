"""At which temperature embeddings had better learn."""

import importlib

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn import choose_temperature, temperature_choice
from crane_pyg.nn.objectives import SampledSoftmax, Triplets
from crane_pyg.schema import USER_TO_ITEM

spectral_start = importlib.import_module("crane_pyg.nn.spectral_start")


def drawn(edges=400, held_out=0.2, num_users=40, num_items=60):
    generator = torch.Generator().manual_seed(0)
    pair = torch.randperm(num_users * num_items, generator=generator)[:edges]
    label = (torch.rand(edges, generator=generator) < held_out).long()
    edge_index = torch.stack([pair // num_items, pair % num_items])
    return build_hetero_data(edge_index, label, num_users=num_users, num_items=num_items)


def bundles(per_user, count=300, size=4, num_users=600):
    """Users took bundles, each but for one item that is held out."""
    generator = torch.Generator().manual_seed(0)
    user, item, label = [], [], []
    for u in range(num_users):
        bundle = torch.randperm(count, generator=generator)[:per_user].unsqueeze(1)
        lacking = torch.randint(size, (per_user,), generator=generator)
        item += (bundle * size + torch.arange(size)).flatten().tolist()
        label += F.one_hot(lacking, size).flatten().tolist()
        user += [u] * per_user * size
    counts = {"num_users": num_users, "num_items": count * size}
    return build_hetero_data(torch.tensor([user, item]), torch.tensor(label), **counts)


@pytest.mark.parametrize(
    ("cold", "warm", "chosen"),
    [
        ([0.3, 0.4, 0.5], [0.2, 0.3, 0.4], 0.1),  # better in every fold
        ([0.2, 0.3, 0.4], [0.3, 0.4, 0.5], 0.2),
        ([0.9, 0.2, 0.3], [0.2, 0.3, 0.4], 0.2),  # better in the mean, by one fold
        ([0.3, 0.3, 0.3], [0.3, 0.3, 0.3], 0.2),
    ],
)
def test_the_lower_one_is_chosen_where_it_is_better_beyond_chance(monkeypatch, cold, warm, chosen):
    found = {0.1: torch.tensor(cold), 0.2: torch.tensor(warm)}
    monkeypatch.setattr(temperature_choice, "_ndcg_at", lambda at, *_: [found[t] for t in at])
    assert choose_temperature(drawn()) == chosen


def test_each_is_what_embeddings_learn_at_it(monkeypatch):
    """By the objective of training, on dense gradients."""
    data = drawn()
    vectors = spectral_start.low_rank(data, 8)
    users, items = [], []

    def ndcg_of_folds(data, user, compared, k):
        users.append(user.clone())
        items.append(compared[0].clone())
        return torch.zeros(1, 2)

    monkeypatch.setattr(temperature_choice, "ndcg_of_folds", ndcg_of_folds)
    monkeypatch.setattr(temperature_choice, "_NEGATIVES", 5)
    monkeypatch.setattr(temperature_choice, "_EPOCHS", 1)
    monkeypatch.setattr(temperature_choice, "_BATCH", 100)
    choose_temperature(data, 8, vectors=vectors)
    for place, temperature in enumerate((0.1, 0.2)):
        generator = torch.Generator().manual_seed(0)
        tables = [torch.empty(n, 8) for n in (40, 60)]
        for table in tables:
            torch.nn.init.xavier_uniform_(table, generator=generator)
        spectral_start.spectral_start(*tables, data, vectors=vectors)
        user, item = (table.requires_grad_() for table in tables)
        optimizer = torch.optim.SparseAdam([user, item], lr=3e-3)
        edge_index = data[USER_TO_ITEM].edge_index
        for (source, pos), neg in temperature_choice._batches(edge_index, 60, generator):
            optimizer.zero_grad()
            item_id = torch.stack([pos, neg.repeat(source.numel())[: source.numel()]])
            batch = Triplets(user[source], item[item_id], source, item_id)
            SampledSoftmax(temperature)(batch).backward()
            for table in (user, item):
                table.grad = table.grad.to_sparse(1)
            optimizer.step()
        torch.testing.assert_close(users[place], user.detach())
        torch.testing.assert_close(items[place], F.normalize(item.detach(), dim=1))
    assert not torch.equal(users[0], users[1])


@pytest.mark.parametrize(("per_user", "chosen"), [(3, 0.1), (6, 0.2)])
def test_a_short_training_tells_narrow_tastes_from_wide_ones(per_user, chosen):
    assert choose_temperature(bundles(per_user), rank=16) == chosen


def test_an_epoch_of_many_pairs_is_a_sample_of_them():
    edge_index = torch.arange(3_000_000).repeat(2, 1)
    sizes = [batch.size(1) for batch, _ in temperature_choice._batches(edge_index, 7, None)]
    assert sizes == [8192] * 128 * 2


def test_a_draw_of_its_own_leaves_the_global_one_alone():
    data = drawn()
    vectors = spectral_start.low_rank(data, 8)
    state = torch.get_rng_state()
    first = choose_temperature(data, 8, vectors=vectors)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert choose_temperature(data, 8, vectors=vectors) == first


@pytest.mark.parametrize("held_out", [0.0, 1e-9])
def test_without_validation_it_is_the_higher_one_and_nothing_is_trained(monkeypatch, held_out):
    monkeypatch.delattr(torch.optim, "SparseAdam")
    data = drawn(held_out=held_out)
    assert choose_temperature(data) == 0.2
    del data[USER_TO_ITEM].val_edge_label_index
    assert choose_temperature(data) == 0.2


def test_fewer_items_than_the_cut_off_are_no_measure():
    assert choose_temperature(drawn(edges=60, num_users=10, num_items=12), rank=4) == 0.2

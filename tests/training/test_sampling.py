import logging

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from crane_pyg.training import TripletSampler, sampling


def test_an_epoch_holds_every_edge_once_and_no_negative_that_was_taken():
    edge_index = torch.tensor([[0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 3, 0]])
    taken = set(map(tuple, edge_index.T.tolist()))
    sampler = TripletSampler(edge_index, num_items=4, batch_size=4)
    assert len(sampler) == 2
    for _ in range(20):
        user, pos, neg = (torch.cat(part) for part in zip(*sampler, strict=True))
        assert sorted(zip(user.tolist(), pos.tolist(), strict=True)) == sorted(taken)
        assert not taken & set(zip(user.tolist(), neg.tolist(), strict=True))
        assert (neg[user == 0] == 3).all()  # the only item that user 0 did not take


def test_negatives_are_uniform_over_the_items_left():
    edge_index = torch.stack([torch.zeros(1000, dtype=torch.long), torch.arange(1000) % 5])
    sampler = TripletSampler(edge_index, 25, 1000, torch.Generator().manual_seed(3))
    counts = torch.zeros(25)
    for _ in range(20):
        for _, _, neg in sampler:
            counts += torch.bincount(neg, minlength=25)
    assert counts[:5].sum() == 0
    # 20,000 draws over 20 items: a binomial standard deviation is 31.
    assert (counts[5:] - 1000).abs().max() < 5 * 31


def test_negatives_follow_the_definition_for_users_of_few_and_of_nearly_all_items():
    num_items, draws = 7, 4000
    taken = {0: {3}, 2: {0, 6}, 3: {1, 2, 4}, 4: {0, 1, 2, 3, 4, 5}, 6: {1, 2, 3, 4, 5, 6}}
    pairs = [(user, item) for user, items in taken.items() for item in items]
    sampler = TripletSampler(torch.tensor(pairs).T, num_items, 64)
    sampler.edge_index = sampler.edge_index.repeat(1, draws)
    user, _, neg = (torch.cat(part) for part in zip(*sampler, strict=True))
    for u, items in taken.items():
        count = torch.bincount(neg[user == u], minlength=num_items)
        left = sorted(set(range(num_items)) - items)
        expected = draws * len(items) / len(left)
        assert count.sum() == count[left].sum() == draws * len(items)
        # The squared deviations follow chi-square: its mean, and six of its deviations above that.
        spread = float(((count[left] - expected) ** 2 / expected).sum())
        assert spread < len(left) - 1 + 6 * (2 * (len(left) - 1)) ** 0.5 + 1e-9


@pytest.mark.parametrize("left", [[5], [0, 2999]])
def test_a_user_of_nearly_all_items_costs_no_more_than_others(left):
    num_items = 3000
    item = torch.tensor(sorted(set(range(num_items)) - set(left)))
    sampler = TripletSampler(torch.stack([torch.zeros_like(item), item]), num_items, num_items)
    with CountDraws() as mode:
        ((_, _, neg),) = list(sampler)
    assert set(neg.tolist()) == set(left)
    assert mode.draws == 1  # rejection would draw thousands of times


class CountDraws(TorchDispatchMode):
    """Counts how often numbers are drawn, beside the order of the edges."""

    draws = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.draws += func._schema.name.startswith(("aten::random", "aten::randint", "aten::rand_"))
        return func(*args, **(kwargs or {}))


def test_one_generator_state_gives_one_epoch():
    edge_index = torch.randint(50, (2, 300))
    epochs = [
        list(TripletSampler(edge_index, 50, 64, torch.Generator().manual_seed(7))) for _ in range(2)
    ]
    for first, second in zip(*epochs, strict=True):
        for a, b in zip(first, second, strict=True):
            assert torch.equal(a, b)


def test_the_order_changes_from_epoch_to_epoch():
    sampler = TripletSampler(torch.arange(100).repeat(2, 1), 200, 100)
    (first,), (second,) = list(sampler), list(sampler)
    assert not torch.equal(first[0], second[0])


def test_each_user_once_with_any_of_their_items():
    edge_index = torch.tensor([[4, 0, 0, 1, 0, 1], [0, 1, 2, 1, 3, 0]])
    taken = set(map(tuple, edge_index.T.tolist()))
    generator = torch.Generator().manual_seed(3)
    sampler = TripletSampler(edge_index, 5, 2, generator, once_per_user=True)
    assert len(sampler) == 2
    pairs, first = [], []
    for _ in range(600):
        batches = list(sampler)
        assert [len(batch[0]) for batch in batches] == [2, 1]
        user, pos, neg = (torch.cat(part).tolist() for part in zip(*batches, strict=True))
        assert sorted(user) == [0, 1, 4]
        assert not taken & set(zip(user, neg, strict=True))
        pairs += zip(user, pos, strict=True)
        first.append(user[0])
    assert set(pairs) == taken
    # 600 draws of one in three: a binomial standard deviation is 11.5.
    assert all(abs(pairs.count((0, item)) - 200) < 5 * 11.5 for item in (1, 2, 3))
    assert all(abs(first.count(user) - 200) < 5 * 11.5 for user in (0, 1, 4))


def test_a_user_of_every_item_is_left_out_and_reported(caplog):
    edge_index = torch.tensor([[0, 0, 1], [0, 1, 0]])
    with caplog.at_level(logging.WARNING, "crane_pyg"):
        sampler = TripletSampler(edge_index, 2, 8)
    assert "1 users took every item" in caplog.text
    ((user, pos, neg),) = list(sampler)
    assert (user.tolist(), pos.tolist(), neg.tolist()) == ([1], [0], [1])


def test_a_single_interaction_is_enough():
    ((user, pos, neg),) = list(TripletSampler(torch.tensor([[0], [1]]), 2, 1024))
    assert (user.item(), pos.item(), neg.item()) == (0, 1, 0)


@pytest.mark.parametrize(
    ("edge_index", "match"),
    [
        (torch.empty(2, 0, dtype=torch.long), "at least one interaction"),
        (torch.tensor([[0, 0], [0, 1]]), "no negative can be drawn"),
    ],
)
def test_nothing_to_sample(edge_index, match):
    with pytest.raises(ValueError, match=match):
        TripletSampler(edge_index, 2, 8)


def test_negatives_among_what_somebody_took_are_uniform_there():
    """Of items 0 to 9 nobody took 2, 3 and 9."""
    edge_index = torch.tensor([[0, 0, 0, 1, 1, 2, 2], [0, 1, 4, 5, 6, 7, 8]]).repeat(1, 400)
    generator = torch.Generator().manual_seed(0)
    sampler = TripletSampler(edge_index, 10, 10_000, generator, among_taken=True)
    ((user, pos, neg),) = sampler
    for u, allowed in ((0, {5, 6, 7, 8}), (1, {0, 1, 4, 7, 8}), (2, {0, 1, 4, 5, 6})):
        drawn = neg[user == u]
        assert set(drawn.tolist()) == allowed
        assert set(pos[user == u].tolist()).isdisjoint(allowed)
        share = torch.bincount(drawn, minlength=10)[sorted(allowed)] / drawn.numel()
        assert (share - 1 / len(allowed)).abs().max() < 4 * (0.25 / drawn.numel()) ** 0.5


@pytest.mark.parametrize("chunk", [1, 64, 65, 200])
def test_an_epoch_drawn_in_chunks_is_the_same(checkerboard, monkeypatch, chunk):
    def epoch():
        generator = torch.Generator().manual_seed(0)
        return [*TripletSampler.from_data(checkerboard, 64, generator)]

    whole = epoch()
    monkeypatch.setattr(sampling, "_CHUNK", chunk)
    for batch, expected in zip(epoch(), whole, strict=True):
        for found, wanted in zip(batch, expected, strict=True):
            assert torch.equal(found, wanted)

import pytest
import torch

from crane_pyg.nn.objectives import CosineContrastive, SampledSoftmax, compare, negatives
from crane_pyg.ops.distinct import padded_distinct
from tests.nn.objectives.batches import gathered, tables

EMBEDDINGS = {"user": torch.tensor([[1.0], [2.0]]), "item": torch.arange(5.0).view(5, 1)}
TRIPLETS = ([0, 1, 1], [3, 4, 3], [[1, 4, 1]])


@pytest.mark.parametrize(
    ("kind", "neg", "hidden", "times"),
    [
        ("shared", [[1, 4], [2, 8], [2, 8]], [[0, 0], [0, 1], [0, 0]], [2, 1]),
        ("batch", [[3, 4], [6, 8], [6, 8]], [[1, 0], [0, 1], [1, 0]], [2, 1]),
        ("row", [[1], [8], [2]], [[0], [1], [0]], [1]),
    ],
)
def test_what_each_row_is_compared_with(kind, neg, hidden, times):
    found = compare(gathered(EMBEDDINGS, *TRIPLETS), kind, "inner")
    assert found.pos.tolist() == [3, 8, 6]
    assert found.neg.tolist() == neg
    assert found.hidden.int().tolist() == hidden
    assert found.times.tolist() == times


@pytest.mark.parametrize("kind", ["shared", "batch"])
def test_where_distinct_entries_are_filled_up_the_rest_is_hidden(monkeypatch, kind):
    batch = gathered(EMBEDDINGS, *TRIPLETS)
    expected = compare(batch, kind, "inner")
    monkeypatch.setattr(negatives, "distinct", padded_distinct)
    found = compare(batch, kind, "inner")
    assert found.neg.shape == (3, 3)
    assert found.hidden[:, 2:].all()
    assert found.times.tolist() == [*expected.times.tolist(), 0]
    for name in ("neg", "hidden"):
        assert torch.equal(getattr(found, name)[:, :2], getattr(expected, name))


@pytest.mark.parametrize("kind", ["shared", "batch"])
def test_of_a_large_batch_the_first_drawn_are_shared(kind):
    batch = gathered(EMBEDDINGS, [0, 1, 1, 0], [3, 4, 3, 2], [[1, 4, 0, 2]])
    found = compare(batch, kind, "inner", max_negatives=2)
    assert found.neg[0].tolist() == {"shared": [1, 4], "batch": [3, 4]}[kind]
    assert found.neg.shape == (4, 2)
    assert found.pos.tolist() == [3, 8, 6, 2]


@pytest.mark.parametrize("loss", [SampledSoftmax, CosineContrastive])
def test_a_loss_shares_no_more_than_it_says(loss):
    embeddings, ids = tables(), ([0, 1, 1], [2, 3, 4])
    three, two = (gathered(embeddings, *ids, [neg]) for neg in ([5, 6, 7], [5, 6, 6]))
    torch.testing.assert_close(loss(max_negatives=2)(three), loss()(two))
    assert loss()(three) != loss()(two)
    with pytest.raises(ValueError, match="max_negatives must be at least 1 .*got 0"):
        loss(max_negatives=0)


LOSSES = [
    SampledSoftmax(max_negatives=20),
    SampledSoftmax(negatives="batch", max_negatives=20),
    SampledSoftmax(negatives="row", max_negatives=20),
    CosineContrastive(margin=0.0, max_negatives=20),
]


@pytest.mark.parametrize("rows", [1, 7, 62, 63])
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_some_rows_at_a_time_equal_one_big_batch(monkeypatch, loss, rows):
    found = []
    for chunk in (10**9, rows * 20):
        monkeypatch.setattr(negatives, "_CHUNK", chunk)
        torch.manual_seed(0)
        embeddings = tables()
        ids = [torch.randint(n, (63,)).tolist() for n in (8, 10, 10)]
        value = loss(gathered(embeddings, ids[0], ids[1], [ids[2]]))
        found.append([value, *torch.autograd.grad(value, [*embeddings.values()])])
    for whole, chunked in zip(*found, strict=True):
        torch.testing.assert_close(chunked, whole)

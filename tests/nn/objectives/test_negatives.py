import pytest
import torch

from crane_pyg.nn.objectives import compare, negatives
from crane_pyg.ops.distinct import padded_distinct
from tests.nn.objectives.batches import gathered

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

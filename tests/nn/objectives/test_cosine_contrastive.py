import pytest
import torch

from crane_pyg.nn.objectives import CosineContrastive, negatives
from crane_pyg.ops.distinct import padded_distinct
from tests.nn.objectives.batches import (
    AWKWARD,
    assert_equal,
    compared,
    gathered,
    similarities,
    stacked,
    tables,
)


def dense_contrastive(embeddings, user, pos, neg, loss):
    """Row by row, negative by negative."""
    rows = []
    for row, u in enumerate(user):
        items = compared(loss.negatives, row, pos, neg)
        if loss.negatives == "batch":
            items = sorted(set(items))
        own, *others = similarities(embeddings, u, [pos[row], *items], "cosine")
        excess = sum(torch.clamp(s - loss.margin, min=0) for s in others)
        rows.append(1 - own + loss.negative_weight * excess / max(1, len(others)))
    return stacked(rows, embeddings)


@pytest.mark.parametrize("find", ["distinct", "padded"])
@pytest.mark.parametrize("margin", [-0.3, 0.4])
@pytest.mark.parametrize("kind", ["shared", "batch", "row"])
@pytest.mark.parametrize("name", AWKWARD)
def test_it_is_the_papers_loss_row_by_row(monkeypatch, name, kind, margin, find):
    if find == "padded":  # as on CUDA
        monkeypatch.setattr(negatives, "distinct", padded_distinct)
    embeddings = tables()
    loss = CosineContrastive(margin, 3.0, kind, reduction="none")
    expected = dense_contrastive(embeddings, *AWKWARD[name], loss)
    assert_equal(loss(gathered(embeddings, *AWKWARD[name])), expected, embeddings)


@pytest.mark.parametrize(("reduction", "reduce"), [("mean", torch.mean), ("sum", torch.sum)])
def test_reductions(reduction, reduce):
    batch = gathered(tables(), *AWKWARD["duplicates"])
    expected = reduce(CosineContrastive(reduction="none")(batch))
    torch.testing.assert_close(CosineContrastive(reduction=reduction)(batch), expected)


def test_by_hand():
    """A positive at a right angle; of two negatives, one is beyond the margin by 0.6."""
    embeddings = {"user": torch.eye(2)[:1], "item": torch.tensor([[0.0, 2.0], [3.0, 0.0]])}
    embeddings["item"] = torch.cat([embeddings["item"], torch.tensor([[1.0, 5.0]])])
    batch = gathered(embeddings, [0], [0], [[1], [2]])
    assert CosineContrastive(0.4, 10.0)(batch).item() == pytest.approx(1 + 10 * 0.6 / 2)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"margin": 1.5}, "margin must lie between -1 and 1 .got 1.5"),
        ({"negative_weight": -1.0}, "negative_weight must not be negative .got -1.0"),
        ({"negatives": "all"}, "negatives must be one of 'shared', 'batch', 'row' .got 'all'"),
        ({"reduction": "max"}, "reduction must be one of 'mean', .*got 'max'"),
    ],
)
def test_bad_options(options, match):
    with pytest.raises(ValueError, match=match):
        CosineContrastive(**options)

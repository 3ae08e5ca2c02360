import pytest
import torch
import torch.nn.functional as F

from crane_pyg.nn.objectives import SampledSoftmax, Triplets, negatives
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

KINDS = [("shared", False), ("batch", False), ("batch", True), ("row", False)]


def dense_softmax(embeddings, user, pos, neg, loss):
    """Row by row, negative by negative."""
    rows = []
    for row, u in enumerate(user):
        items = compared(loss.negatives, row, pos, neg)
        if loss.correction:
            share = {item: pos.count(item) / len(pos) for item in items}
            weights = [1 / (share[item] * len(pos)) for item in items]
        else:
            weights = [1] * len(items)
        own, *others = similarities(embeddings, u, [pos[row], *items], loss.similarity)
        top = torch.exp(own / loss.temperature)
        rest = [w * torch.exp(s / loss.temperature) for w, s in zip(weights, others, strict=True)]
        rows.append(-torch.log(top / (top + sum(rest))))
    return stacked(rows, embeddings)


@pytest.fixture(params=["distinct", "padded"])
def _find(request, monkeypatch):
    """Distinct entries as on a CPU and as on CUDA."""
    if request.param == "padded":
        monkeypatch.setattr(negatives, "distinct", padded_distinct)


@pytest.mark.usefixtures("_find")
@pytest.mark.parametrize("similarity", ["cosine", "inner"])
@pytest.mark.parametrize(("kind", "correction"), KINDS)
@pytest.mark.parametrize("name", AWKWARD)
def test_it_is_the_cross_entropy_row_by_row(name, kind, correction, similarity):
    embeddings = tables()
    loss = SampledSoftmax(0.5, kind, similarity, correction, reduction="none")
    expected = dense_softmax(embeddings, *AWKWARD[name], loss)
    assert_equal(loss(gathered(embeddings, *AWKWARD[name])), expected, embeddings)


@pytest.mark.usefixtures("_find")
@pytest.mark.parametrize(("kind", "correction"), KINDS)
def test_a_larger_batch(kind, correction):
    embeddings = tables()
    ids = [torch.randint(n, (63,)).tolist() for n in (8, 10, 10)]
    triplets = ids[0], ids[1], [ids[2]]
    loss = SampledSoftmax(0.2, kind, correction=correction, reduction="none")
    expected = dense_softmax(embeddings, *triplets, loss)
    assert_equal(loss(gathered(embeddings, *triplets)), expected, embeddings)


@pytest.mark.parametrize(("reduction", "reduce"), [("mean", torch.mean), ("sum", torch.sum)])
def test_reductions(reduction, reduce):
    batch = gathered(tables(), *AWKWARD["duplicates"])
    expected = reduce(SampledSoftmax(reduction="none")(batch))
    torch.testing.assert_close(SampledSoftmax(reduction=reduction)(batch), expected)


@pytest.mark.parametrize("kind", ["shared", "batch", "row"])
def test_a_row_without_negatives_costs_nothing_and_teaches_nothing(kind):
    embeddings = tables()
    user, pos, neg = AWKWARD["every negative is the positive"]
    loss = SampledSoftmax(negatives=kind)(gathered(embeddings, user, pos, neg))
    loss.backward()
    assert loss == 0
    assert all(table.grad.eq(0).all() for table in embeddings.values())


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("kind", ["shared", "batch", "row"])
def test_lengths_that_overflow_are_of_no_account(kind, scale):
    embeddings = {name: x.detach().float() for name, x in tables().items()}
    expected = SampledSoftmax(negatives=kind)(gathered(embeddings, *AWKWARD["zero rows"]))
    batch = gathered({k: x * scale for k, x in embeddings.items()}, *AWKWARD["zero rows"])
    torch.testing.assert_close(SampledSoftmax(negatives=kind)(batch), expected)


def test_logits_far_apart_stay_finite():
    user = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    item = torch.tensor([[[1.0], [1.0]], [[-1.0], [-1.0]]])
    batch = Triplets(user, item, torch.arange(2), torch.tensor([[0, 0], [1, 1]]))
    loss = SampledSoftmax(1.0, similarity="inner", reduction="none")(batch)
    assert loss.tolist() == [0, 2e4]
    loss.sum().backward()
    assert user.grad.tolist() == [[0], [-2]]


def test_by_hand():
    """A positive and two orthogonal negatives, of which one was drawn twice."""
    embeddings = {"user": torch.eye(3)[:1].repeat(3, 1), "item": torch.eye(3)}
    batch = gathered(embeddings, [0, 1, 2], [0, 0, 0], [[1, 2, 2]])
    for kind, others in (("shared", 2.0), ("row", 1.0)):
        loss = SampledSoftmax(0.5, kind)(batch)
        expected = torch.tensor(2.0).exp().add(others).log() - 2
        torch.testing.assert_close(loss, expected)


def test_the_popular_are_pushed_down_unless_corrected():
    embeddings = {"user": F.one_hot(torch.arange(4), 8).float(), "item": torch.ones(4, 8)}
    batch = gathered(embeddings, [0, 1, 2, 3], [0, 1, 1, 1], [[2, 2, 2, 2]])
    losses = [
        SampledSoftmax(negatives="batch", correction=correction, reduction="none")(batch)[0].item()
        for correction in (False, True)
    ]
    assert losses == pytest.approx([torch.tensor(n).log().item() for n in (4.0, 2.0)])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"temperature": 0.0}, "temperature must be positive .got 0.0"),
        ({"negatives": "all"}, "negatives must be one of 'shared', 'batch', 'row' .got 'all'"),
        ({"similarity": "l2"}, "similarity must be one of 'inner', 'cosine' .got 'l2'"),
        ({"reduction": "max"}, "reduction must be one of 'mean', .*got 'max'"),
        ({"correction": True}, "correction must be of negatives='batch'.*got negatives='shared'"),
    ],
)
def test_bad_options(options, match):
    with pytest.raises(ValueError, match=match):
        SampledSoftmax(**options)

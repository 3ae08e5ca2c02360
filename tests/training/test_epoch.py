import pytest
import torch

from crane_pyg.nn.models import LightGCN
from crane_pyg.training import TripletSampler, build_optimizer, fit, train_epoch
from tests.training.short_runs import SHORT, assert_same_state, build


def sampler_of(data, seed=0, batch_size=SHORT["batch_size"]):
    generator = torch.Generator().manual_seed(seed)
    return TripletSampler.from_data(data, batch_size, generator)


def test_fit_trains_with_the_same_epochs(checkerboard):
    fitted = build(checkerboard, LightGCN)
    result = fit(fitted, checkerboard, **SHORT, patience=9)
    model = build(checkerboard, LightGCN)
    torch.manual_seed(0)
    optimizer, sampler = build_optimizer(model, SHORT["lr"]), sampler_of(checkerboard)
    for epoch in range(result.best_epoch):
        row = train_epoch(model, checkerboard, sampler, optimizer)
        for name in ("loss", "bpr", "l2"):
            assert row[name] == result.history[epoch][name]
        assert row["seconds"] > 0
    assert_same_state(model, fitted)


def test_terms_are_means_over_the_batches(checkerboard):
    model = build(checkerboard, LightGCN, l2=0.1)
    batches = list(sampler_of(checkerboard))
    assert len(batches) > 2
    with torch.no_grad():
        terms = [model.loss(checkerboard, *batch) for batch in batches]
    frozen = torch.optim.SGD(model.parameters(), lr=0.0)
    row = train_epoch(model, checkerboard, sampler_of(checkerboard), frozen)
    for name in ("bpr", "l2"):
        assert row[name] == pytest.approx(sum(float(term[name]) for term in terms) / len(terms))
    assert row["loss"] == pytest.approx(row["bpr"] + row["l2"])
    assert model.training


def test_groups_have_rates_of_their_own(checkerboard):
    optimizer = build_optimizer(build(checkerboard, graph_lr=0.1), lr=0.01)
    assert sorted({group["lr"] for group in optimizer.param_groups}) == pytest.approx([0.001, 0.01])


@pytest.mark.parametrize("similarity", ["cosine", "inner"])
def test_weights_decay_where_cosines_are_compared(checkerboard, similarity):
    """By their share of the learning rate, beside a step that is Adam's."""

    def stepped(decay):
        model = build(checkerboard, ranking_similarity=similarity, weight_decay=decay)
        before = {name: x.detach().clone() for name, x in model.named_parameters()}
        optimizer = build_optimizer(model, lr=0.01)
        model.loss(checkerboard, *next(iter(sampler_of(checkerboard))))["softmax"].backward()
        optimizer.step()
        return before, dict(model.named_parameters())

    before, plain = stepped(0.0)
    _, decayed = stepped(3.0)
    for name, weight in decayed.items():
        rate = 0.001 if name.startswith("item_graph.") else 0.01
        shrunk = 3.0 * rate * before[name] if similarity == "cosine" else 0.0
        torch.testing.assert_close(weight, plain[name] - shrunk, atol=1e-6, rtol=0)


def test_half_precision_is_of_the_loss_alone(checkerboard):
    def trained(precision):
        model = build(checkerboard, LightGCN)
        optimizer = build_optimizer(model, SHORT["lr"])
        train_epoch(model, checkerboard, sampler_of(checkerboard), optimizer, precision=precision)
        return model

    model = build(checkerboard, LightGCN)
    optimizer = build_optimizer(model, SHORT["lr"])
    for batch in sampler_of(checkerboard):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = sum(model.loss(checkerboard, *batch).values())
        loss.backward()
        optimizer.step()
    half, single = trained("bfloat16"), trained("float32")
    assert_same_state(half, model)
    assert all(parameter.dtype == torch.float32 for parameter in half.parameters())
    assert not torch.equal(half.item_embedding.weight, single.item_embedding.weight)
    torch.testing.assert_close(
        half.item_embedding.weight, single.item_embedding.weight, atol=0.01, rtol=0
    )


def test_fit_trains_in_half_precision(checkerboard):
    model = build(checkerboard, LightGCN)
    rows = fit(model, checkerboard, **SHORT, precision="bfloat16").history
    assert (
        rows[0]["loss"]
        != fit(build(checkerboard, LightGCN), checkerboard, **SHORT).history[0]["loss"]
    )
    with pytest.raises(ValueError, match="precision must be"):
        fit(model, checkerboard, **SHORT, precision="half")

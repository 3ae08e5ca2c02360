import pytest
import torch

from crane_pyg.ops import ease


def interactions(num_users=40, num_items=17, share=0.3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    taken = torch.rand(num_users, num_items, generator=generator) < share
    return taken.nonzero().T, taken.double()


def constrained_ridge(rows, l2, dropout=0.0):
    """The definition: each item regressed on all others, one after the other."""
    n = rows.size(1)
    weight = torch.zeros(n, n, dtype=rows.dtype)
    for j in range(n):
        others = [i for i in range(n) if i != j]
        x = rows[:, others]
        penalty = l2 + dropout / (1 - dropout) * x.square().sum(0)
        system = x.T @ x + penalty.diag()
        weight[others, j] = torch.linalg.solve(system, x.T @ rows[:, j])
    return weight


@pytest.mark.parametrize(("l2", "dropout"), [(0.5, 0.0), (100.0, 0.0), (2.0, 0.6)])
@pytest.mark.parametrize("shape", [(40, 17), (5, 30), (1, 1), (3, 2)])
def test_the_closed_form_is_ridge_regression_on_all_others(shape, l2, dropout):
    edge_index, taken = interactions(*shape)
    wanted = constrained_ridge(taken, l2, dropout)
    exact = ease(edge_index, shape, l2, dropout=dropout, dtype=torch.float64)
    torch.testing.assert_close(exact, wanted, rtol=1e-9, atol=1e-12)
    single = ease(edge_index, shape, l2, dropout=dropout)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), wanted, rtol=0, atol=1e-6)


def test_nothing_that_gives_items_no_weight_to_themselves_is_better():
    edge_index, taken = interactions()
    weight = ease(edge_index, (40, 17), 3.0, dtype=torch.float64)

    def cost(weight):
        return (taken - taken @ weight).square().sum() + 3.0 * weight.square().sum()

    for _ in range(20):
        other = weight + 0.01 * torch.randn_like(weight).fill_diagonal_(0)
        assert cost(other) > cost(weight)


def test_repeated_pairs_count_once_and_nobody_is_missed():
    edge_index, _ = interactions()
    twice = torch.cat([edge_index, edge_index[:, ::3]], dim=1)
    assert torch.equal(ease(twice, (40, 17), 1.0), ease(edge_index, (40, 17), 1.0))
    wider = ease(edge_index, (45, 20), 1.0)
    assert not wider[17:].any()
    assert not wider[:, 17:].any()
    torch.testing.assert_close(wider[:17, :17], ease(edge_index, (40, 17), 1.0))


@pytest.mark.parametrize("dropout", [0.0, 0.6])
def test_features_explain_items_as_users_do(dropout):
    edge_index, taken = interactions()
    features = torch.randn(17, 5, dtype=torch.float64)
    rows = torch.cat([taken, features.T])
    weight = constrained_ridge(rows, 2.0, dropout)
    got = ease(edge_index, (40, 17), 2.0, dropout=dropout, features=features, dtype=torch.float64)
    torch.testing.assert_close(got, weight, rtol=1e-9, atol=1e-12)


def damped(taken, damping):
    """The definition: users' rows by the root of what they count, interactions one on average."""
    length = taken.sum(1)
    count = torch.where(length > 0, length**-damping, 0)
    count *= length.sum() / (length * count).sum()
    return taken * count.sqrt().unsqueeze(1)


@pytest.mark.parametrize("damping", [0.25, 1.0])
@pytest.mark.parametrize("dropout", [0.0, 0.6])
def test_users_of_many_items_count_less(damping, dropout):
    edge_index, taken = interactions()
    edge_index, taken = edge_index[:, edge_index[0] != 3], taken.clone()
    taken[3] = 0  # of whom nothing is known
    rows = damped(taken, damping)
    assert rows.square().sum() == pytest.approx(taken.sum())
    weight = constrained_ridge(rows, 2.0, dropout)
    settings = {"dropout": dropout, "damping": damping, "dtype": torch.float64}
    got = ease(edge_index, (40, 17), 2.0, **settings)
    torch.testing.assert_close(got, weight, rtol=0, atol=1e-6)
    assert (got - ease(edge_index, (40, 17), 2.0, dropout=dropout)).abs().max() > 1e-3
    assert not ease(edge_index[:, :0], (40, 17), 2.0, **settings).any()


def test_what_would_not_fit_is_refused_before_it_is_tried():
    edge_index = torch.tensor([[0], [999_999]])
    with pytest.raises(ValueError, match=r"1000000 items.*8 GB.*local.*got 12000\.0 GB"):
        ease(edge_index, (1, 1_000_000), 1.0)
    with pytest.raises(ValueError, match=r"1e-05 GB"):
        ease(edge_index[:, :0], (1, 1000), 1.0, max_gb=1e-5)


def test_bad_input_is_refused():
    edge_index, _ = interactions()
    with pytest.raises(ValueError, match=r"l2.*got 0"):
        ease(edge_index, (40, 17), 0)
    with pytest.raises(ValueError, match=r"damping must not be negative \(got -1\)"):
        ease(edge_index, (40, 17), 1.0, damping=-1)
    with pytest.raises(ValueError, match=r"item indices.*\[0, 5\)"):
        ease(edge_index, (40, 5), 1.0)
    with pytest.raises(ValueError, match=r"user indices.*\[0, 7\)"):
        ease(edge_index, (7, 17), 1.0)
    with pytest.raises(ValueError, match=r"features.*\[17, f\].*got \[16, 3\]"):
        ease(edge_index, (40, 17), 1.0, features=torch.ones(16, 3))
    with pytest.raises(ValueError, match=r"\[2, E\]"):
        ease(edge_index.T, (40, 17), 1.0)

import pytest
import torch

from crane_pyg.nn import RecursiveCrossModalAttention as RCA

WIDTHS = {"visual": 5, "textual": 3, "acoustic": 4}
ROWS = 23


def channels(num_modalities):
    return dict(list(WIDTHS.items())[:num_modalities])


def features(names, rows=ROWS):
    return {m: torch.randn(rows, WIDTHS[m], dtype=torch.double, requires_grad=True) for m in names}


def some_masks(names, rows=ROWS):
    return {m: torch.arange(rows) % (3 + i) > 0 for i, m in enumerate(names)}


def oracle(rca, xs, masks=None):
    """Algorithm 1, line by line, with every C^m stored; then what the default adds to it."""
    names = list(rca.channels)
    rows = next(iter(xs.values())).size(0)
    keep = {m: torch.ones(rows, dtype=torch.double) for m in names}
    keep |= {m: mask.double() for m, mask in (masks or {}).items()}
    xs = {m: xs[m] * keep[m][:, None] for m in names}
    w_tr, b_tr = rca.lin_joint.weight.T, rca.lin_joint.bias
    for _ in range(rca.num_rounds):
        if rca.normalize:
            xs = {m: x / x.norm(dim=1, keepdim=True).clamp(min=1e-30) for m, x in xs.items()}
        joint = torch.cat([xs[m] for m in names], dim=1)  # E, eq. 7
        mixed = joint @ w_tr + b_tr  # E', eq. 8
        new = {}
        for index, m in enumerate(names):
            x = xs[m]
            anchor = mixed @ rca.lin_anchor[m].weight.T  # P^m, eq. 9
            c = torch.tanh(x @ anchor.T) * keep[m][:, None] * keep[m][None, :]  # eq. 10
            if rca.normalize:
                c = c / keep[m].sum()
            refined = torch.relu(c @ x @ rca.lin_attn[m].weight.T)  # F^m, eq. 11
            if rca.gain is not None:
                refined = refined * rca.gain[index]
            new[m] = refined + x @ rca.lin_self[m].weight.T  # eq. 12
        xs = new
    return torch.cat([xs[m] for m in names], dim=1)  # X_att, eq. 13


def assert_same_gradients(found, wanted, inputs):
    found = torch.autograd.grad(found, list(inputs.values()), torch.ones_like(found).cumsum(0))
    wanted = torch.autograd.grad(wanted, list(inputs.values()), torch.ones_like(wanted).cumsum(0))
    for name, a, b in zip(inputs, found, wanted, strict=True):
        assert b.abs().max() > 0, name
        torch.testing.assert_close(a, b, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("num_modalities", [1, 2, 3])
@pytest.mark.parametrize("num_rounds", [1, 2, 3])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("masked", [False, True])
def test_equals_algorithm_1(num_modalities, num_rounds, normalize, masked):
    names = channels(num_modalities)
    rca = RCA(names, num_rounds, normalize=normalize).double()
    with torch.no_grad():
        for p in rca.parameters():  # saturated tanh has no gradient to compare
            p.copy_(torch.randn_like(p) * (0.5 if normalize else 0.1))
    xs = features(names)
    masks = some_masks(names) if masked else None
    out, expected = rca(xs, masks), oracle(rca, xs, masks)
    assert out.shape == (ROWS, sum(names.values()))
    torch.testing.assert_close(out, expected)
    assert_same_gradients(out, expected, {**xs, **dict(rca.named_parameters())})


@pytest.mark.parametrize("normalize", [True, False])
def test_gain(normalize):
    names = channels(2)
    rca = RCA(names, 2, normalize=normalize, gain=True).double()
    xs = features(names)
    plain = RCA(names, 2, normalize=normalize).double()
    plain.load_state_dict(rca.state_dict(), strict=False)
    torch.testing.assert_close(rca(xs), plain(xs))  # ones at first
    with torch.no_grad():
        for p in rca.parameters():
            p.mul_(0.3)
        rca.gain.copy_(torch.tensor([3.0, -2.0]))
    expected = oracle(rca, xs)
    torch.testing.assert_close(rca(xs), expected)
    assert_same_gradients(rca(xs), expected, {**xs, **dict(rca.named_parameters())})


def test_two_entities_by_hand():
    # One modality of one channel and every weight 1: E' = P = X + 1/2.
    rca = RCA({"m": 1}, normalize=False)
    for p in rca.parameters():
        torch.nn.init.ones_(p)
    torch.nn.init.constant_(rca.lin_joint.bias, 0.5)
    x = torch.tensor([[0.5], [-1.0]])
    c = torch.tensor([[0.5 * 1.0, 0.5 * -0.5], [-1.0 * 1.0, -1.0 * -0.5]]).tanh()
    first = max(0.0, (c[0, 0] * 0.5 - c[0, 1]).item()) + 0.5
    second = max(0.0, (c[1, 0] * 0.5 - c[1, 1]).item()) - 1.0
    assert rca({"m": x}).view(-1).tolist() == pytest.approx([first, second])
    assert first > 0.9
    assert second == -1.0


@pytest.mark.parametrize(
    "query",
    [slice(9, None), slice(0, 0), slice(None, None, 2), torch.tensor([4, 0, 4]), "bool"],
    ids=["items", "none", "stride", "index", "bool"],
)
@pytest.mark.parametrize("num_rounds", [1, 2])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("masked", [False, True])
def test_query_equals_rows_of_the_whole(query, num_rounds, normalize, masked):
    names = channels(2)
    query = torch.arange(ROWS) % 4 > 0 if isinstance(query, str) else query
    rca = RCA(names, num_rounds, normalize=normalize).double()
    xs = features(names)
    masks = some_masks(names) if masked else None
    out, expected = rca(xs, masks, query), rca(xs, masks)[query]
    torch.testing.assert_close(out, expected)
    inputs = [*xs.values(), *rca.parameters()]
    grad = torch.randn_like(out)
    torch.testing.assert_close(
        torch.autograd.grad(out, inputs, grad), torch.autograd.grad(expected, inputs, grad)
    )


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("num_rounds", [1, 3])
def test_a_masked_row_neither_attends_nor_is_attended_to(normalize, num_rounds):
    names = channels(2)
    rca = RCA(names, num_rounds, normalize=normalize).double()
    xs = {m: x.detach() for m, x in features(names).items()}
    masks = {"visual": torch.ones(ROWS, dtype=torch.bool)}
    masks["visual"][[2, 7]] = False
    out = rca(xs, masks)
    assert out[[2, 7], :5].eq(0).all()
    assert out[[2, 7], 5:].ne(0).any()  # the other modality goes on
    for value in (1e3, torch.nan):
        xs["visual"][[2, 7]] = value
        xs["visual"].requires_grad_()
        changed = rca(xs, masks)
        torch.testing.assert_close(changed, out, rtol=0, atol=0)
        (grad,) = torch.autograd.grad(changed.sum(), xs["visual"])
        assert grad[[2, 7]].eq(0).all()
        assert grad.isfinite().all()
        xs["visual"] = xs["visual"].detach()


@pytest.mark.parametrize("normalize", [True, False])
def test_an_entity_masked_everywhere_might_as_well_not_exist(normalize):
    names = channels(3)
    rca = RCA(names, 2, normalize=normalize).double()
    xs = features(names)
    keep = torch.arange(ROWS) != 11
    out = rca(xs, dict.fromkeys(names, keep))
    torch.testing.assert_close(out[keep], rca({m: x[keep] for m, x in xs.items()}))


def test_order_of_the_inputs_does_not_matter():
    rca = RCA(channels(3), 2).double()
    xs = features(WIDTHS)
    shuffled = {m: xs[m] for m in ("acoustic", "visual", "textual")}
    assert torch.equal(rca(shuffled), rca(xs))


def test_entities_are_a_set():
    rca = RCA(channels(2), 2).double()
    xs = features(channels(2))
    perm = torch.randperm(ROWS)
    torch.testing.assert_close(rca({m: x[perm] for m, x in xs.items()}), rca(xs)[perm])


@pytest.mark.parametrize("num_rounds", [1, 4])
def test_zero_rows_stay_zero_and_pass_no_gradient(num_rounds):
    """A user without items: the gradient of a length at zero must not grow by 1e12 a round."""
    rca = RCA(channels(2), num_rounds)
    xs = {m: x.detach().float() for m, x in features(channels(2)).items()}
    for x in xs.values():
        x[5] = 0
        x.requires_grad_()
    out = rca(xs)
    assert out[5].eq(0).all()
    (1e6 * out).sum().backward()
    assert all(p.grad.isfinite().all() for p in [*xs.values(), *rca.parameters()])
    assert all(x.grad[5].eq(0).all() for x in xs.values())


def test_inputs_are_not_changed():
    xs = {m: x.detach() for m, x in features(WIDTHS).items()}
    before = {m: x.clone() for m, x in xs.items()}
    RCA(WIDTHS, 2).double()(xs, some_masks(WIDTHS))
    assert list(xs) == list(before)
    assert all(torch.equal(xs[m], before[m]) for m in xs)


def test_without_entities():
    xs = {m: torch.empty(0, d) for m, d in channels(2).items()}
    assert RCA(channels(2), 2)(xs).shape == (0, 8)
    masks = dict.fromkeys(xs, torch.empty(0, dtype=torch.bool))
    assert RCA(channels(2), 2)(xs, masks).shape == (0, 8)


def test_all_rows_masked():
    names = channels(2)
    none = torch.zeros(ROWS, dtype=torch.bool)
    out = RCA(names, 2).double()(features(names), dict.fromkeys(names, none))
    assert out.eq(0).all()


def test_implementations_agree():
    names = channels(2)
    xs = features(names)
    rca = RCA(names, 2, impl="reference").double()
    tiled = RCA(names, 2, impl="tiled").double()
    tiled.load_state_dict(rca.state_dict())
    torch.testing.assert_close(tiled(xs), rca(xs))
    with pytest.raises(ValueError, match=r"impl must be one of .* \(got 'magic'\)"):
        RCA(names, impl="magic")


def test_repr():
    rca = RCA({"visual": 64, "textual": 32}, 2, normalize=False)
    name = "RecursiveCrossModalAttention"
    expected = f"{name}({{'visual': 64, 'textual': 32}}, num_rounds=2, normalize=False)"
    assert str(rca) == expected


def test_parameters_are_shared_by_the_rounds():
    names = channels(2)
    assert sum(p.numel() for p in RCA(names, 1).parameters()) == (
        sum(p.numel() for p in RCA(names, 3).parameters())
    )
    expected = 8 * 8 + 8  # W_tr and b_tr
    expected += sum(8 * d + d * d + d * d for d in names.values())  # W_m, W_a and W_f
    assert sum(p.numel() for p in RCA(names).parameters()) == expected


def test_reset_parameters():
    rca = RCA(channels(2), gain=True)
    torch.manual_seed(1)
    rca.reset_parameters()
    first = {name: p.clone() for name, p in rca.named_parameters()}
    with torch.no_grad():
        for p in rca.parameters():
            p.fill_(7)
    torch.manual_seed(1)
    rca.reset_parameters()
    for name, p in rca.named_parameters():
        assert torch.equal(p, first[name]), name
    assert rca.lin_joint.bias.eq(0).all()
    assert rca.gain.eq(1).all()


def test_errors():
    with pytest.raises(ValueError, match=r"at least one modality \(got none\)"):
        RCA({})
    with pytest.raises(ValueError, match=r"num_rounds must be at least 1 \(got 0\)"):
        RCA({"m": 3}, 0)
    rca = RCA({"a": 3, "b": 2})
    a, b = torch.ones(4, 3), torch.ones(4, 2)
    with pytest.raises(ValueError, match=r"the modalities \['a', 'b'\] \(got \['a', 'c'\]\)"):
        rca({"a": a, "c": b})
    with pytest.raises(ValueError, match=r"xs\['b'\] must be \[n, 2\] \(got \[4, 3\]\)"):
        rca({"a": a, "b": a})
    with pytest.raises(ValueError, match=r"xs\['a'\] must be \[n, 3\] \(got \[3\]\)"):
        rca({"a": a[0], "b": b})
    with pytest.raises(ValueError, match=r"equally many rows \(got {'a': 4, 'b': 3}\)"):
        rca({"a": a, "b": b[:3]})
    with pytest.raises(ValueError, match=r"masks may name \['a', 'b'\] \(got 'c'\)"):
        rca({"a": a, "b": b}, {"c": a[:, 0] > 0})
    with pytest.raises(ValueError, match=r"masks\['a'\] must be \[4\] bool \(got \[3\] torch.bool"):
        rca({"a": a, "b": b}, {"a": a[0] > 0})
    with pytest.raises(
        ValueError, match=r"masks\['b'\] must be \[4\] bool \(got \[4\] torch.float"
    ):
        rca({"a": a, "b": b}, {"b": a[:, 0]})


@pytest.mark.parametrize("impl", ["reference", "tiled"])
def test_autocast(impl):
    rca = RCA(WIDTHS, 2, impl=impl)
    xs = {m: x.float().detach() for m, x in features(WIDTHS).items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = rca(xs)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), rca(xs), rtol=0.05, atol=0.05)
    out.float().square().sum().backward()
    assert {p.grad.dtype for p in rca.parameters()} == {torch.float32}

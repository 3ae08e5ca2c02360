import pytest
import torch
import torch.nn.functional as F
from torch_geometric.data import HeteroData

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn import SemanticConv
from crane_pyg.transforms import AddSimilarItems

SIMILAR = ("item", "similar", "item")
N = 20


def items(**xs):
    edge_index, label = torch.empty(2, 0, dtype=torch.long), torch.empty(0, dtype=torch.long)
    return build_hetero_data(edge_index, label, num_users=3, num_items=N, features=xs)


@pytest.fixture
def data():
    # Lengths differ by orders of magnitude: without normalisation the second modality would decide.
    return items(visual=torch.randn(N, 6), textual=100 * torch.rand(N, 1) * torch.randn(N, 4))


def oracle(data, modalities, k, loop):
    """``[N, N]``: eq. 14 on the unit rows of the modalities that item i has, the k largest, divided
    by their sum; what an item lacks has length one, too, and resembles nothing but itself."""
    store = data["item"]
    present = torch.stack([store[f"{m}_mask"] for m in modalities])  # [modalities, N]
    xs = [F.normalize(store[f"x_{m}"].double(), dim=1) for m in modalities]
    xs = [torch.where(mask[:, None], x, 0) for x, mask in zip(xs, present, strict=True)]
    cosines = torch.stack([x @ x.T for x in xs])  # [modalities, N, N]
    dense = torch.zeros(N, N, dtype=torch.double)
    for i in present.any(0).nonzero().view(-1).tolist():
        has = present[:, i]
        cosine = cosines[has, i].mean(0) * has.double().mean().sqrt()
        cosine[i] = 1
        cosine[~present.any(0)] = -torch.inf
        if not loop:
            cosine[i] = -torch.inf
        top = cosine.topk(k)
        dense[i, top.indices] = top.values / top.values.abs().sum()
    return dense


def to_dense(data):
    src, dst = data[SIMILAR].edge_index
    dense = torch.zeros(N, N, dtype=torch.double)
    return dense.index_put((dst, src), data[SIMILAR].edge_weight.double())


def check(data, modalities, k, loop, transform):
    out = transform(data)
    torch.testing.assert_close(to_dense(out), oracle(data, modalities, k, loop), rtol=0, atol=1e-5)
    return out


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("modalities", [None, ["visual"], ["textual", "visual"]])
def test_equals_equation_14(data, loop, k, modalities):
    transform = AddSimilarItems(k, modalities, loop=loop)
    out = check(data, modalities or ["textual", "visual"], k, loop, transform)
    assert out[SIMILAR].edge_index.shape == (2, N * k)
    assert torch.equal(out[SIMILAR].edge_index[1], torch.arange(N).repeat_interleave(k))
    assert (out[SIMILAR].edge_index[0] == out[SIMILAR].edge_index[1]).sum() == (N if loop else 0)


@pytest.mark.parametrize("loop", [False, True])
def test_masks(data, loop):
    item = torch.arange(N)
    data["item"].visual_mask = item % 3 > 0
    data["item"].textual_mask = item % 2 > 0  # items 0, 6, 12 and 18 have neither
    data["item"].x_visual[item % 3 == 0] = torch.nan
    data["item"].x_textual[item % 2 == 0] = 1e6
    out = check(data, ["textual", "visual"], 3, loop, AddSimilarItems(3, loop=loop))
    nodes = out[SIMILAR].edge_index.unique()
    assert nodes.tolist() == [i for i in range(N) if i % 6 > 0]
    assert out[SIMILAR].edge_weight.isfinite().all()


def test_without_stored_masks(data):
    expected = AddSimilarItems(3)(data)[SIMILAR]
    bare = HeteroData()
    bare["item"].x_visual, bare["item"].x_textual = data["item"].x_visual, data["item"].x_textual
    found = AddSimilarItems(3)(bare)[SIMILAR]
    assert torch.equal(found.edge_index, expected.edge_index)
    assert torch.equal(found.edge_weight, expected.edge_weight)


def test_four_items_on_a_line():
    data = HeteroData()
    data["item"].x_m = torch.tensor([[1.0, 0.0], [2.0, 0.2], [0.0, 3.0], [0.1, 1.0]])
    out = AddSimilarItems(1)(data)
    assert out[SIMILAR].edge_index.tolist() == [[1, 0, 3, 2], [0, 1, 2, 3]]
    assert out[SIMILAR].edge_weight.tolist() == pytest.approx([1, 1, 1, 1])


def test_finds_the_checkerboard(checkerboard):
    out = AddSimilarItems(7)(checkerboard)
    neighbour, item = out[SIMILAR].edge_index
    assert torch.equal(neighbour % 2, item % 2)
    parity = (torch.arange(out["item"].num_nodes) % 2).float().view(-1, 1)
    smooth = SemanticConv()(parity, out[SIMILAR].edge_index, out[SIMILAR].edge_weight)
    torch.testing.assert_close(smooth, parity)
    assert SIMILAR not in checkerboard.edge_types  # the caller's graph is not changed


def test_implementations_agree(data):
    pytest.importorskip("torch_cluster")
    a, b = (AddSimilarItems(4, impl=impl)(data)[SIMILAR] for impl in ("blocked", "torch_cluster"))
    assert torch.equal(a.edge_index, b.edge_index)
    torch.testing.assert_close(a.edge_weight, b.edge_weight)


def test_errors(data):
    known = r"\['textual', 'visual'\]"
    with pytest.raises(ValueError, match=rf"modalities must be some of {known} \(got \['audio'\]"):
        AddSimilarItems(3, ["audio"])(data)
    with pytest.raises(ValueError, match=rf"modalities must be some of {known} \(got \[\]\)"):
        AddSimilarItems(3, [])(data)
    with pytest.raises(ValueError, match=r"modalities must be some of \[\] \(got \[\]\)"):
        AddSimilarItems(3)(items())
    with pytest.raises(ValueError, match=r"k must be at least 1 \(got 0\)"):
        AddSimilarItems(0)(data)
    with pytest.raises(ValueError, match=r"k must be smaller than .* \(got k=20, items=20\)"):
        AddSimilarItems(N)(data)
    with pytest.raises(ValueError, match=r"impl must be one of .* \(got 'magic'\)"):
        AddSimilarItems(3, impl="magic")(data)


def test_repr():
    assert str(AddSimilarItems(10)) == "AddSimilarItems(k=10, modalities=None, loop=False)"
    expected = "AddSimilarItems(k=5, modalities=['visual'], loop=True)"
    assert str(AddSimilarItems(5, ("visual",), loop=True)) == expected

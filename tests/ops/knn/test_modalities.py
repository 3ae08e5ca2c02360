import pytest
import torch

from crane_pyg.ops import edge_cosine, knn_graph, modality_knn_graph

N = 30


def rows(*widths, dtype=torch.float32):
    generator = torch.Generator().manual_seed(len(widths))
    return [torch.randn(N, width, generator=generator, dtype=dtype) for width in widths]


def gaps(count):
    """Every pattern of modalities occurs, the one of none included."""
    return [(torch.arange(N) >> m) % 2 == 0 for m in range(count)]


def by_hand(xs, masks, loop):
    """Neighbours and similarities of each item, one pair after the other."""
    length = [x[mask].square().sum(1).mean().sqrt() for x, mask in zip(xs, masks, strict=True)]
    has = torch.stack(masks, 1)
    found = {}
    for i in range(N):
        own = has[i].nonzero().view(-1).tolist()
        score = torch.full((N,), -torch.inf, dtype=xs[0].dtype)
        for j in range(N):
            if own and has[j].any() and (loop or j != i):
                inner = sum(xs[m][i] @ xs[m][j] * has[j, m] for m in own)
                mine = sum(
                    xs[m][i].square().sum() if m in own or j == i else length[m] ** 2
                    for m in range(len(xs))
                )
                other = sum(xs[m][j].square().sum() if has[j, m] else length[m] ** 2 for m in own)
                score[j] = inner / (mine * other).sqrt()
        if own:
            found[i] = score.sort(descending=True, stable=True)
    return found


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_equals_a_loop_over_pairs(count, loop):
    masks = gaps(count)
    xs = rows(*[5, 3, 4, 6][:count], dtype=torch.double)
    xs = [x.masked_fill(~mask[:, None], 0) for x, mask in zip(xs, masks, strict=True)]
    edges, cosine = modality_knn_graph(xs, masks, 4, loop=loop)
    expected = by_hand(xs, masks, loop)
    item = torch.tensor(list(expected)).repeat_interleave(4)
    assert torch.equal(edges[1], item)
    assert edges[0].view(-1, 4).tolist() == [expected[i].indices[:4].tolist() for i in expected]
    values = torch.cat([expected[i].values[:4] for i in expected])
    torch.testing.assert_close(cosine, values)


def test_without_gaps_it_is_the_cosine_of_the_concatenated():
    xs, all_of_them = rows(5, 3), torch.ones(N, dtype=torch.bool)
    edges, cosine = modality_knn_graph(xs, [all_of_them] * 2, 4)
    x = torch.cat(xs, dim=1)
    assert torch.equal(edges, knn_graph(x, 4))
    assert torch.equal(cosine, edge_cosine(x, edges))


def test_what_both_lack_brings_no_two_items_together():
    # Item 0 sounds like item 1, which has a picture, and less like item 2, which has none either.
    sound = torch.tensor([[1.0, 0.0], [0.96, 0.28], [0.8, 0.6], [-1.0, 0.0]])
    picture = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    masks = [torch.ones(4, dtype=torch.bool), torch.tensor([0, 1, 0, 1]).bool()]
    edges, cosine = modality_knn_graph([sound, picture], masks, 1)
    assert edges[0, 0] == 1
    assert cosine[0] == pytest.approx(0.96 / 2**0.5)  # half its square is the picture's
    assert knn_graph(torch.cat([sound, picture], 1), 1)[0, 0] == 2  # the zeros decide


def test_the_less_is_known_the_less_neighbours_weigh_against_the_item_itself():
    sound = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    picture = 2 * sound
    masks = [torch.ones(4, dtype=torch.bool), torch.tensor([0, 1, 1, 1]).bool()]
    picture[0] = 0
    edges, weight = modality_knn_graph([sound, picture], masks, 2, loop=True)
    assert edges[0, :4].tolist() == [0, 1, 1, 0]
    assert weight[:2].tolist() == pytest.approx([1, 0.2**0.5])  # 1 of 1 + 4 is known
    assert weight[4:].tolist() == pytest.approx([1, 1, 1, 1])


def test_gradients():
    xs = [x.requires_grad_() for x in rows(3, 2, dtype=torch.double)]
    complete = [torch.ones(N, dtype=torch.bool)] * 2
    assert torch.autograd.gradcheck(lambda *xs: modality_knn_graph(xs, complete, 3)[1], xs)
    masks = gaps(2)
    parts = [x.masked_fill(~mask[:, None], 0) for x, mask in zip(xs, masks, strict=True)]
    grads = torch.autograd.grad(modality_knn_graph(parts, masks, 3)[1].sum(), xs)
    for grad, mask in zip(grads, masks, strict=True):
        assert torch.equal(grad.any(dim=1), mask)
        assert grad.isfinite().all()


def test_bad_arguments():
    with pytest.raises(ValueError, match="some item must have a modality"):
        modality_knn_graph(rows(3), [torch.zeros(N, dtype=torch.bool)], 2)
    with pytest.raises(ValueError, match=r"k must be smaller than .* \(got k=30, items=30\)"):
        modality_knn_graph(rows(3), [torch.ones(N, dtype=torch.bool)], N)

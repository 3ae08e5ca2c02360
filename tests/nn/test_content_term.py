import copy

import pytest
import torch
import torch.nn.functional as F

from crane_pyg.nn import ContentTerm

WIDTHS = {"textual": 5, "visual": 12}


def warm(data, **kwargs):
    torch.manual_seed(0)
    term = ContentTerm(WIDTHS, 7, **kwargs)
    term.warm_start(data)
    return term


def dense(term, data, center=True):
    """Item by item, on the term's own singular vectors."""
    parts = []
    for m in WIDTHS:
        x, has = data["item"][f"x_{m}"], data["item"][f"{m}_mask"]
        rows = [F.normalize(row, dim=0) for row in x]
        if center:
            mean = torch.stack(rows)[has].mean(0)
            rows = [F.normalize(row - mean, dim=0) for row in rows]
        x = torch.stack([row if known else 0 * row for row, known in zip(rows, has, strict=True)])
        parts.append(x @ term.basis[m].vectors)
    return torch.cat(parts, 1) @ term.weight


def lacking(data):
    data = copy.copy(data)
    data["item"].visual_mask = torch.arange(40) % 3 > 0
    data["item"].x_visual = data["item"].x_visual * data["item"].visual_mask.unsqueeze(1)
    return data


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("rank", [1, 6, 64])
def test_it_equals_the_definition(checkerboard, rank, center):
    data = lacking(checkerboard)
    term = warm(data, rank=rank, center=center)
    assert term.weight.size(0) == sum(min(rank, d) for d in WIDTHS.values())
    term.weight.data.normal_()
    torch.testing.assert_close(term(data), dense(term, data, center), rtol=1e-4, atol=1e-5)


def test_at_full_rank_nothing_of_the_features_is_lost(checkerboard):
    term = warm(checkerboard)
    for m, basis in term.basis.items():
        eye = torch.eye(WIDTHS[m])
        torch.testing.assert_close(basis.vectors @ basis.vectors.T, eye, rtol=0, atol=1e-4)


def test_the_vectors_are_the_top_ones(checkerboard):
    term = warm(checkerboard, rank=2)
    for m, basis in term.basis.items():
        x = term.units(checkerboard)[m].all()
        kept = (x @ basis.vectors).square().sum()
        best = torch.linalg.svdvals(x)[:2].square().sum()
        assert 0.99 * best < kept < 1.0001 * best


def test_fewer_items_than_singular_vectors(checkerboard):
    data = copy.copy(checkerboard)
    for m in WIDTHS:
        data["item"][f"x_{m}"] = data["item"][f"x_{m}"][:3]
        data["item"][f"{m}_mask"] = data["item"][f"{m}_mask"][:3]
    term = warm(data)
    term.weight.data.normal_()
    assert torch.isfinite(term(data)).all()
    assert (term.basis["visual"].vectors[:, 3:] == 0).all()


def test_it_starts_from_nothing_and_learns_by_its_weight_alone(checkerboard):
    term = warm(checkerboard)
    assert not term(checkerboard).any()
    term(checkerboard).sum().backward()
    assert term.weight.grad.any()
    assert [name for name, _ in term.named_parameters()] == ["weight"]


def test_a_loaded_term_lets_go_of_what_it_kept(checkerboard):
    term, other = warm(checkerboard), ContentTerm(WIDTHS, 7)
    term.weight.data.normal_()
    assert not other.coordinates(checkerboard).any()
    other.load_state_dict(term.state_dict())
    torch.testing.assert_close(other(checkerboard), term(checkerboard))


def test_coordinates_are_kept_for_the_same_data(checkerboard):
    term = warm(checkerboard)
    assert term.coordinates(checkerboard) is term.coordinates(checkerboard)
    changed = lacking(checkerboard)
    assert term.coordinates(changed) is not term.coordinates(checkerboard)


def test_half_precision_is_read_in_single(checkerboard):
    data = copy.copy(checkerboard)
    for m in WIDTHS:
        data["item"][f"x_{m}"] = data["item"][f"x_{m}"].half()
    term = warm(data)
    assert term.coordinates(data).dtype == torch.float32


def test_there_must_be_a_modality():
    with pytest.raises(ValueError, match="modalit"):
        ContentTerm({})


def test_repr():
    assert repr(ContentTerm(WIDTHS, 7, 6)) == "ContentTerm({'textual': 5, 'visual': 6}, 7)"

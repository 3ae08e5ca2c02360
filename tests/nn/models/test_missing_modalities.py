"""What a model makes of items that lack some or all of one to four modalities."""

import pytest
import torch

from crane_pyg.datasets import build_hetero_data
from crane_pyg.nn.fusion import FUSIONS
from crane_pyg.nn.models import MODELS, SolvedRecommender

NUM_USERS, NUM_ITEMS = 12, 24
WIDTHS = (5, 3, 4, 6)
NAMES = ("visual", "textual", "audio", "speech")
LINKING = ("dgvae", "freedom", "lattice", "mgcn", "smore")  # in each modality by itself
SMALL = {name: {"k": 3} for name in ("crane", *LINKING)}
WITHOUT = {"bpr", "lightgcn", "multivae", "simplex", "ultragcn"}
SOLVED = {name for name, model in MODELS.items() if issubclass(model, SolvedRecommender)}
WITH_FEATURES = sorted(set(MODELS) - WITHOUT - SOLVED)
VARIANTS = {
    "crane, rounds": ("crane", {"num_rounds": 2, "k": 3}),
    **{f"crane, {x}": ("crane", {"fusion": x, "k": 3}) for x in FUSIONS if x != "rca"},
    "crane, as printed": ("crane", {**MODELS["crane"].preset("paper").model, "k": 3}),
    "freedom, trained": ("freedom", {"trainable_features": True, "k": 3}),
    "lattice, trained": ("lattice", {"trainable_features": True, "k": 3}),
    "bm3, trained": ("bm3", {"trainable_features": True}),
    "mgcn, trained": ("mgcn", {"trainable_features": True, "k": 3}),
    "smore, trained": ("smore", {"trainable_features": True, "k": 3}),
}
CASES = {name: (name, SMALL.get(name, {})) for name in WITH_FEATURES} | VARIANTS


def world(count, garbage=0.0):
    """Items 0, 5, 10, ... have nothing; of the others, modality m is missing in every (m + 2)th."""
    generator = torch.Generator().manual_seed(0)
    item = torch.arange(NUM_ITEMS)
    features = [torch.randn(NUM_ITEMS, width, generator=generator) for width in WIDTHS[:count]]
    masks = [(item % 5 > 0) & (item % (m + 2) > 0) | (item % 5 == m + 1) for m in range(count)]
    pairs = [(u, (7 * u + 5 * n) % NUM_ITEMS) for u in range(NUM_USERS) for n in range(6)]
    label = torch.arange(6).sub(3).clamp(min=0).repeat(NUM_USERS).clamp(max=2)
    data = build_hetero_data(
        torch.tensor(pairs).T,
        label,
        num_users=NUM_USERS,
        num_items=NUM_ITEMS,
        features=dict(zip(NAMES, features)),
        masks=dict(zip(NAMES, masks)),
    )
    for name, mask in zip(NAMES, masks):
        data["item"][f"x_{name}"][~mask] = garbage
    return data


def build(case, data):
    name, settings = CASES[case]
    torch.manual_seed(0)
    return MODELS[name].from_data(data, **settings | {"embedding_dim": 8})


def trained_features(model, modality):
    (name,) = [n for n, _ in model.named_parameters() if n.endswith(f"features.x.{modality}")]
    return model.get_parameter(name).data


def step(model, data):
    """Losses and gradients of one batch, then embeddings."""
    torch.manual_seed(1)
    model.train()
    model.start_epoch(data)
    user, pos = data["user", "interacts", "item"].edge_index
    terms = model.loss(data, user, pos, (pos + 1) % NUM_ITEMS)
    torch.stack(list(terms.values())).sum().backward()
    grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    with torch.no_grad():
        user, item = model.eval()(data)
    return terms, grads, (user, item)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("case", CASES)
def test_what_an_item_lacks_does_not_matter(case, count):
    """What stands in a masked row reaches neither losses, nor gradients, nor embeddings."""
    clean, dirty = world(count), world(count, garbage=50.0)
    model, other = build(case, clean), build(case, dirty)
    for m in NAMES[:count] if "trained" in case else ():
        copied, dirtied = (trained_features(x, m) for x in (model, other))
        dirtied.copy_(copied)
        dirtied[~clean["item"][f"{m}_mask"]] = 50.0
    ours, theirs = step(model, clean), step(other, dirty)
    for part, dirty_part in zip(ours[:2], theirs[:2], strict=True):
        assert part.keys() == dirty_part.keys()
        for name, value in part.items():
            assert value.isfinite().all(), name
            torch.testing.assert_close(dirty_part[name], value, msg=name, rtol=1e-4, atol=1e-6)
    for side, dirty_side in zip(ours[2], theirs[2], strict=True):
        torch.testing.assert_close(dirty_side, side, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("case", sorted(set(CASES) - {"dgvae"}))
def test_items_without_any_modality_are_told_apart_by_who_took_them(case):
    data = world(2)
    model = build(case, data)
    _, grads, (_, item) = step(model, data)
    nothing = ~(data["item"].visual_mask | data["item"].textual_mask)
    assert nothing.sum() == 6
    bare = item[nothing]
    assert bare.isfinite().all()
    assert torch.pdist(bare).min() > 1e-4
    identity = grads.get("item_embedding.weight", grads.get("embedding.weight"))
    if identity is not None:  # MMGCN keeps its random ones
        assert identity[-NUM_ITEMS:][nothing].any(dim=1).all()


@pytest.mark.parametrize("case", WITH_FEATURES)
def test_a_modality_that_nobody_has_is_no_information(case):
    if case in LINKING:
        pytest.skip("needs more than k items in each modality")
    data = world(2)
    data["item"].visual_mask = torch.zeros(NUM_ITEMS, dtype=torch.bool)
    terms, grads, (user, item) = step(build(case, data), data)
    for value in (*terms.values(), *grads.values(), user, item):
        assert value.isfinite().all()

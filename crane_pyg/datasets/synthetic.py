"""A data set drawn from a known structure, for tests and benchmarks without files."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch_geometric.data import HeteroData, InMemoryDataset

from crane_pyg.choices import check_choice
from crane_pyg.datasets.hetero import build_hetero_data
from crane_pyg.datasets.planted_world import (
    HALF,
    MIN_DEGREE,
    OVERLAP,
    draw_degrees,
    draw_interactions,
    draw_view,
    draw_world,
)
from crane_pyg.datasets.report import DatasetReport
from crane_pyg.datasets.splits import DrawnSplit, split_at_random, split_cold
from crane_pyg.ops.fill import Missing
from crane_pyg.transforms import FillMissing

SyntheticSplit = Literal["random", "cold"]  # interactions have no times


class Preset(NamedTuple):
    """Sizes of a synthetic set; it has :obj:`num_styles` squared clusters."""

    num_users: int
    num_items: int
    num_interactions: int
    visual_dim: int
    textual_dim: int
    num_styles: int


PRESETS = {
    "tiny": Preset(300, 200, 4_500, 64, 32, 4),
    "demo": Preset(2_000, 1_200, 30_000, 64, 32, 5),
    "baby": Preset(19_445, 7_050, 160_792, 4096, 384, 6),
    "sports": Preset(35_598, 18_357, 296_337, 4096, 384, 6),
    "clothing": Preset(39_387, 23_033, 278_677, 4096, 384, 6),
    "electronics": Preset(192_403, 63_001, 1_689_188, 4096, 384, 6),
}


class SyntheticMultimodal(InMemoryDataset):
    r"""Users who choose items by a taste of which each modality shows a part.

    Items lie in clusters, in a latent space with two halves. The ``visual`` features are a noisy
    nonlinear view of the first half and a little of the second, the ``textual`` features of the
    second and a little of the first: neither modality alone tells all clusters apart. Users
    choose by popularity and by the affinity of their taste to the whole latent vector. Degrees
    are long-tailed, no user has fewer than 5 items, no item is left without a user.
    ``data['item'].cluster`` holds the planted clusters.

    The four larger presets have the exact counts of the Amazon sets that multimodal
    recommenders are measured on, and their feature widths: ``'electronics'`` then takes 1 GB for
    ``visual`` alone, which :obj:`visual_dim` reduces.

    Args:
        preset (str, optional): ``'tiny'``, ``'demo'``, ``'baby'``, ``'sports'``, ``'clothing'``
            or ``'electronics'``. (default: :obj:`'tiny'`)
        split (str, optional): ``'random'``, 8:1:1 over the interactions, or ``'cold'``, see
            :class:`MultimodalDataset`. (default: :obj:`'random'`)
        seed (int, optional): Equal seeds give equal data. (default: :obj:`0`)
        scale (float, optional): Shrinks the numbers of users, items and interactions, in
            :math:`(0, 1]`. (default: :obj:`1.0`)
        visual_dim (int, optional): Width of the visual features; the preset's if :obj:`None`.
            Interactions do not depend on it. (default: :obj:`None`)
        textual_dim (int, optional): Width of the textual features; the preset's if :obj:`None`.
            (default: :obj:`None`)
        missing_rate (float, optional): The share of items that lack a modality, drawn for each
            modality by itself, in :math:`[0, 1)`. (default: :obj:`0.0`)
        missing (str, optional): What stands for missing features, see :class:`MultimodalDataset`.
            (default: :obj:`'mask'`)
        transform (callable, optional): Applied at every access. (default: :obj:`None`)
        pre_transform (callable, optional): Applied once, after drawing. (default: :obj:`None`)
    """

    def __init__(
        self,
        preset: str = "tiny",
        *,
        split: DrawnSplit = "random",
        seed: int = 0,
        scale: float = 1.0,
        visual_dim: int | None = None,
        textual_dim: int | None = None,
        missing_rate: float = 0.0,
        missing: Missing = "mask",
        transform: Callable | None = None,
        pre_transform: Callable | None = None,
    ) -> None:
        check_choice("preset", preset, PRESETS)
        check_choice("split of a preset", split, SyntheticSplit)
        if not 0.0 <= missing_rate < 1.0:
            raise ValueError(f"`missing_rate` must lie in [0, 1) (got {missing_rate})")
        fill = FillMissing(missing)
        sizes = _scaled(PRESETS[preset], scale)
        if visual_dim is not None:
            sizes = sizes._replace(visual_dim=visual_dim)
        if textual_dim is not None:
            sizes = sizes._replace(textual_dim=textual_dim)
        if min(sizes.visual_dim, sizes.textual_dim) < 1:
            widths = (sizes.visual_dim, sizes.textual_dim)
            raise ValueError(f"`visual_dim` and `textual_dim` must be positive (got {widths})")
        super().__init__(None, transform, pre_transform)
        self.name = self.preset = preset
        self.split = split
        self.seed = seed
        data = _draw(sizes, split, seed, missing_rate)
        self.report = DatasetReport.from_data(data, missing=missing)
        data = fill(data)
        self.data = data if pre_transform is None else pre_transform(data)

    def __repr__(self) -> str:
        report = self.report
        return (
            f"{self.__class__.__name__}({self.preset!r}, num_users={report.num_users}, "
            f"num_items={report.num_items}, num_interactions={report.num_interactions})"
        )


def _scaled(preset: Preset, scale: float) -> Preset:
    if not 0.0 < scale <= 1.0:
        raise ValueError(f"`scale` must lie in (0, 1] (got {scale})")
    num_users = round(preset.num_users * scale)
    num_items = round(preset.num_items * scale)
    num_interactions = max(round(preset.num_interactions * scale), MIN_DEGREE * num_users)
    if num_users < 1 or num_interactions > num_users * (num_items // 2):
        raise ValueError(
            f"`scale` must leave enough items to choose from: {num_users} users and {num_items} "
            f"items cannot have {num_interactions} distinct interactions (got {scale})"
        )
    return preset._replace(
        num_users=num_users, num_items=num_items, num_interactions=num_interactions
    )


def _draw(sizes: Preset, split: DrawnSplit, seed: int, missing_rate: float) -> HeteroData:
    graph_rng, visual_rng, textual_rng = np.random.default_rng(seed).spawn(3)
    world = draw_world(sizes.num_users, sizes.num_items, sizes.num_styles, graph_rng)
    most = sizes.num_items // 2
    degree = draw_degrees(sizes.num_users, most, sizes.num_interactions, graph_rng)
    pairs = torch.from_numpy(draw_interactions(world, degree, graph_rng))

    if split == "cold":
        label = split_cold(pairs[1].numpy(), seed=seed)
    else:
        label = split_at_random(pairs.size(1), seed=seed)
    features, masks = {}, {}
    for name, dim, half, rng in (
        ("visual", sizes.visual_dim, world.item[:, : HALF + OVERLAP], visual_rng),
        ("textual", sizes.textual_dim, world.item[:, HALF - OVERLAP :], textual_rng),
    ):
        lacks = rng.permutation(sizes.num_items)[: round(missing_rate * sizes.num_items)]
        mask = np.ones(sizes.num_items, dtype=bool)
        mask[lacks] = False
        view = draw_view(half, dim, rng)
        view[lacks] = 0.0
        features[name], masks[name] = torch.from_numpy(view), torch.from_numpy(mask)

    data = build_hetero_data(
        pairs,
        torch.from_numpy(label),
        num_users=sizes.num_users,
        num_items=sizes.num_items,
        features=features,
        masks=masks,
    )
    data["item"].cluster = torch.from_numpy(world.cluster)
    return data

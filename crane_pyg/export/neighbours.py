"""What finds the neighbours that a trained model's item graph would give an item added later."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.fusion import ConcatFusion, ProjectedFusion, RCAFusion
from crane_pyg.nn.fusion.projecting import ProjectingFusion
from crane_pyg.nn.graphs import FrozenItemGraph, ItemGraph, LearnedItemGraph, RefreshedItemGraph
from crane_pyg.ops import unit_rows

Arrays = dict[str, np.ndarray]


@torch.no_grad()
def neighbour_arrays(kind: ItemGraph | None, data: HeteroData) -> tuple[dict[str, Any], Arrays]:
    """The note and the arrays that :func:`crane_pyg.serving.neighbours.read_neighbours` reads.

    Where the graph is none that numpy finds neighbours in, they are looked for by what items are
    like, see :class:`crane_pyg.serving.content.Look`.

    Args:
        kind: the model's item graph, if it has one.
        data: the graph.
    """
    inner = kind.graph if isinstance(kind, RefreshedItemGraph) else kind
    if isinstance(inner, FrozenItemGraph):
        return _frozen(inner, data)
    if isinstance(inner, LearnedItemGraph) and type(inner.fusion) in (
        ConcatFusion,
        ProjectedFusion,
        RCAFusion,
    ):
        return _learned(inner, data)
    return {"kind": "looks"}, {}


def _frozen(inner: FrozenItemGraph, data: HeteroData) -> tuple[dict[str, Any], Arrays]:
    arrays: Arrays = {}
    for number, (m, (edges, _)) in enumerate(inner.parts(data).items()):
        x, mask = data["item"][f"x_{m}"], data["item"][f"{m}_mask"]
        unit = unit_rows(x)
        weight = torch.ones(edges.size(1))
        if inner.cosine:
            weight = (unit[edges[0]] * unit[edges[1]]).sum(1)
        total = torch.zeros(len(x)).index_add(0, edges[1], weight)
        scale = torch.where(total > 0, total.clamp(min=1e-24).rsqrt(), 0)
        arrays |= {f"frozen_{number}": unit.numpy(), f"frozen_{number}_mask": mask.numpy()}
        arrays[f"frozen_{number}_scale"] = scale.numpy()
    note = {"kind": "frozen", "k": inner.k, "loop": inner.loop, "cosine": inner.cosine}
    return note | {"shares": inner.shares}, arrays


def _learned(inner: LearnedItemGraph, data: HeteroData) -> tuple[dict[str, Any], Arrays]:
    fusion = inner.fusion
    (space,) = fusion(data)
    note: dict[str, Any] = {"kind": "learned", "k": inner.k, "loop": inner.loop}
    note |= {"modalities": list(fusion.modalities), "center": fusion.center}
    arrays = {"space_share": fusion.modality_share.numpy()}
    for number, (m, units) in enumerate(fusion.units(data).items()):
        arrays[f"space_{number}"] = space.parts[number].numpy()
        arrays[f"space_{number}_mask"] = units.mask.numpy()
        if units.mean is not None:
            arrays[f"space_{number}_mean"] = units.mean.numpy()
        if isinstance(fusion, ProjectingFusion):
            arrays[f"space_{number}_map"] = fusion.lin[m].weight.T.numpy()
    if isinstance(fusion, RCAFusion):
        told, attended = _attended(fusion, data)
        note["attention"] = told
        arrays |= attended
    else:
        note["unit"] = isinstance(fusion, ProjectedFusion)
    return note, arrays


def _attended(fusion: RCAFusion, data: HeteroData) -> tuple[dict[str, Any], Arrays]:
    """What all entities are to the attention in each round, side by side, and its maps."""
    rca, arrays = fusion.rca, {}
    entities, present = fusion.entities(data)
    xs = {m: x.masked_fill(~present[m].unsqueeze(1), 0) for m, x in entities.items()}
    for number, m in enumerate(fusion.modalities):
        anchor = rca.lin_anchor[m].weight
        arrays[f"attention_{number}_query"] = (anchor @ rca.lin_joint.weight).numpy()
        arrays[f"attention_{number}_bias"] = (anchor @ rca.lin_joint.bias).numpy()
        arrays[f"attention_{number}_gathered"] = rca.lin_attn[m].weight.T.numpy()
        arrays[f"attention_{number}_own"] = rca.lin_self[m].weight.T.numpy()
    for round_ in range(rca.num_rounds):
        if rca.normalize:
            xs = {m: unit_rows(x) for m, x in xs.items()}
        arrays[f"attention_round_{round_}"] = torch.cat(list(xs.values()), dim=1).numpy()
        if round_ < rca.num_rounds - 1:
            xs = dict(zip(xs, _one_round(fusion, xs, present), strict=True))
    gain = torch.ones(len(xs)) if rca.gain is None else rca.gain
    counts = [int(mask.sum().clamp(min=1)) for mask in present.values()]
    note = {"rounds": rca.num_rounds, "normalize": rca.normalize, "counts": counts}
    return note | {"gain": gain.tolist()}, arrays


def _one_round(
    fusion: RCAFusion, xs: dict[str, Tensor], present: dict[str, Tensor]
) -> tuple[Tensor, ...]:
    rca = fusion.rca
    rounds, rca.num_rounds = rca.num_rounds, 1
    try:
        return rca(xs, present).split(fusion.channels, dim=1)
    finally:
        rca.num_rounds = rounds

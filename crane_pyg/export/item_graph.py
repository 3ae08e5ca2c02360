"""The item graph of a trained model, its edges divided among the modalities."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.fusion import ConcatFusion, Fusion, ProjectedFusion, RCAFusion, Space, SumFusion
from crane_pyg.nn.graphs import FrozenItemGraph, ItemGraph, LearnedItemGraph, RefreshedItemGraph
from crane_pyg.nn.models import CRANE, FREEDOM, Recommender
from crane_pyg.ops import CSRGraph, csr_graph, spmm
from crane_pyg.serving.rows import Rows

JOINT = "content"  # of a fusion that leaves nothing of the single modalities


def item_graph_arrays(
    model: Recommender, data: HeteroData
) -> tuple[dict[str, Any] | None, dict[str, np.ndarray], dict[str, Rows]]:
    """The note, the arrays and the edges that :func:`crane_pyg.serving.item_graph.read_item_graph`
    reads; none for a model whose items are not the sum of something and of their neighbours.

    Args:
        model: trained.
        data: the graph.
    """
    power = None
    if isinstance(model, CRANE) and model.item_graph is not None and not model.semantic_embedding:
        source = model.views(data).e_item
        power = model.semantic_profile and model.semantic_profile.power
    elif isinstance(model, FREEDOM):
        source = model.item_embedding.weight
    else:
        return None, {}, {}
    assert model.item_graph is not None
    graph: CSRGraph = model.item_graph(data)
    layers = [source]
    for _ in range(model.num_item_layers - 1):
        layers.append(spmm(graph, layers[-1]))
    if model.num_item_layers < 1:
        return None, {}, {}
    names, weight = edge_shares(model.item_graph, graph, data)
    start, index = graph.rowptr.long().numpy(), graph.col.numpy()
    content, arrays = _content_term(model, data)
    note = {"modalities": names, "fold_in_power": power, "content": content}
    rows = {"graph": Rows(start, index, weight.numpy())}
    return note, {"graph_source": torch.stack(layers).numpy(), **arrays}, rows


@torch.no_grad()
def _content_term(
    model: Recommender, data: HeteroData
) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
    """What :func:`crane_pyg.serving.content_term.read_content_term` reads."""
    if not isinstance(model, CRANE) or model.content_term is None:
        return None, {}
    term, arrays = model.content_term, {}
    widths = [basis.vectors.size(1) for basis in term.basis.values()]
    pairs = zip(term.basis.items(), torch.split(term.weight, widths), strict=True)
    for number, ((m, basis), weight) in enumerate(pairs):
        arrays[f"content_{number}_map"] = _without_neighbours(model, basis.vectors @ weight).numpy()
        mean = term.units(data)[m].mean
        if mean is not None:
            arrays[f"content_{number}_mean"] = mean.numpy()
    return {"modalities": [*term.basis], "center": term.units.center}, arrays


def _without_neighbours(model: CRANE, item: Tensor) -> Tensor:
    """What the encoder leaves of the embeddings of items that nobody took."""
    graph = csr_graph(torch.empty(2, 0, dtype=torch.long), size=(1, item.size(0)))
    found: Tensor = model.encoder(torch.zeros_like(item[:1]), item, (graph, graph.transpose()))[1]
    return found


def edge_shares(kind: ItemGraph, graph: CSRGraph, data: HeteroData) -> tuple[list[str], Tensor]:
    """What each modality says for each edge, and last what none does: an item is its own neighbour.

    Args:
        kind: what made the graph.
        graph: the graph.
        data: what it was made of.

    Shapes:
        - **output:** names of K modalities, and ``[E, K + 1]`` whose rows sum to the weights
    """
    inner = kind.graph if isinstance(kind, RefreshedItemGraph) else kind
    src, dst = graph.edge_index
    if isinstance(inner, FrozenItemGraph):
        names, parts = list(inner.shares), _frozen_parts(inner, graph, data)
    elif isinstance(inner, LearnedItemGraph):
        names, rows = named_parts(inner.fusion, inner.fusion(data))
        parts = torch.stack([(x[src] * x[dst]).sum(1) for x in rows], dim=1)
    else:
        names, parts = [JOINT], graph.weight.unsqueeze(1)
    total = parts.sum(1, keepdim=True)
    told = total.abs() > 1e-12
    share = torch.where(told, parts / total.masked_fill(~told, 1), 1 / len(names))
    weight = share * graph.weight.detach().unsqueeze(1)
    own = (src == dst).unsqueeze(1)
    rest = graph.weight.detach().unsqueeze(1) * own
    return names, torch.cat([weight.masked_fill(own, 0), rest], dim=1)


def named_parts(fusion: Fusion, spaces: list[Space]) -> tuple[list[str], list[Tensor]]:
    """What items are compared by, a part for each name; inner products of parts add up."""
    if isinstance(fusion, (ConcatFusion, RCAFusion)) or (
        isinstance(fusion, ProjectedFusion) and not isinstance(fusion, SumFusion)
    ):
        parts = [x * _root(space.weight) for space in spaces for x in space.parts]
        return list(fusion.modalities), parts
    return [JOINT], [x for space in spaces for x in space.parts]


def _root(weight: Tensor | float) -> Tensor:
    return torch.as_tensor(weight).sqrt()


def _frozen_parts(inner: FrozenItemGraph, graph: CSRGraph, data: HeteroData) -> Tensor:
    num_items = graph.num_dst
    src, dst = graph.edge_index
    key = dst * num_items + src  # which ascends
    out = graph.weight.new_zeros(key.numel(), len(inner.shares))
    for column, (m, (edges, weight)) in enumerate(inner.parts(data).items()):
        place = torch.searchsorted(key, edges[1] * num_items + edges[0])
        out[place, column] = inner.shares[m] * weight
    return out

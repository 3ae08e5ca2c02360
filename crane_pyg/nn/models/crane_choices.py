"""What CRANE's settings leave to the data."""

from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor
from torch_geometric.data import HeteroData

from crane_pyg.nn.content_choice import choose_content
from crane_pyg.nn.models.crane_settings import CRANESettings
from crane_pyg.nn.similarity_choice import choose_similarity
from crane_pyg.nn.spectral_start import low_rank
from crane_pyg.nn.temperature_choice import choose_temperature
from crane_pyg.nn.thinning_choice import choose_thinning
from crane_pyg.schema import modalities


class Chosen(NamedTuple):
    """Settings without ``'auto'``.

    Args:
        settings: all of them.
        by_data: those that were chosen here, by name.
        vectors: of the interactions, where something was chosen by them, see
            :func:`~crane_pyg.nn.spectral_start.low_rank`.
        arguments: what the constructor takes beside the sizes.
    """

    settings: CRANESettings
    by_data: dict[str, Any]
    vectors: tuple[Tensor, Tensor] | None
    arguments: dict[str, Any]


def choose(settings: CRANESettings, data: HeteroData) -> Chosen:
    """Replace each ``'auto'`` by what suits the data.

    Args:
        settings: as they were given.
        data: the graph, with its validation split.
    """
    found: dict[str, Any] = {}
    vectors = None
    width = settings.embedding_dim
    if settings.ranking == "softmax":
        kind = settings.ranking_similarity
        if kind == "auto":
            vectors = low_rank(data, width)
            found["ranking_similarity"] = kind = choose_similarity(data, width, start=vectors[0])
        if kind == "cosine" and settings.ranking_temperature is None:
            vectors = vectors or low_rank(data, width)
            found["ranking_temperature"] = choose_temperature(data, width, vectors=vectors)
    if settings.drop_edge == "auto":
        found["drop_edge"] = choose_thinning(data)
    settings = replace(settings, **found)
    term = settings.content_of(modalities(data))
    if term is not None and settings.warm_start:
        term.warm_start(data)
    if settings.content_term == "auto":
        kind = settings.ranking_loss().similarity
        if term is not None and not choose_content(
            data, term.coordinates(data), kind, vectors, width
        ):
            term = None
        found["content_term"] = term is not None
    settings = replace(settings, **found)
    arguments = settings.arguments(modalities(data), data["item"].num_nodes)
    return Chosen(settings, found, vectors, arguments | {"content_term": term})

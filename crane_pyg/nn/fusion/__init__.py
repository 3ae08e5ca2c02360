"""Fusions turn the modalities of an item into what items are compared by; a file for each.

Any of them may be given to a :class:`~crane_pyg.nn.graphs.LearnedItemGraph`.
"""

from typing import Literal

from crane_pyg.nn.fusion.base import Fusion, Space
from crane_pyg.nn.fusion.concat import ConcatFusion
from crane_pyg.nn.fusion.mean import MeanFusion
from crane_pyg.nn.fusion.projected import ProjectedFusion
from crane_pyg.nn.fusion.projecting import ProjectingFusion
from crane_pyg.nn.fusion.rca import RCAFusion
from crane_pyg.nn.fusion.sum import SumFusion

FusionName = Literal["rca", "concat", "projected", "sum", "mean"]
FUSIONS: dict[FusionName, type[Fusion]] = {
    "rca": RCAFusion,
    "concat": ConcatFusion,
    "projected": ProjectedFusion,
    "sum": SumFusion,
    "mean": MeanFusion,
}

__all__ = [
    "FUSIONS",
    "ConcatFusion",
    "Fusion",
    "FusionName",
    "MeanFusion",
    "ProjectedFusion",
    "ProjectingFusion",
    "RCAFusion",
    "Space",
    "SumFusion",
]

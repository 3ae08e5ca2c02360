"""What trained models are measured by, in one run as in a grid of them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch_geometric.data import HeteroData

from crane_pyg.choices import options_of
from crane_pyg.nn.models import Recommender
from crane_pyg.training import DEFAULT_METRICS, Metric, evaluate, evaluate_by_degree
from crane_pyg.training.by_degree import DegreeOf
from crane_pyg.training.evaluation import EvaluationProtocol, HeldOutSplit


class Measurement(NamedTuple):
    """The scores of a trained model on both held-out splits.

    Attributes:
        protocol: how they are ranked, see :func:`~crane_pyg.training.evaluate`.
        metrics: what is measured, see there.
        by_degree: whether test scores by the degree of users and of items come along, see
            :func:`~crane_pyg.training.evaluate_by_degree`.

    Examples:
        >>> from crane_pyg.datasets import SyntheticMultimodal
        >>> from crane_pyg.experiments import Measurement
        >>> from crane_pyg.nn.models import LightGCN
        >>> data = SyntheticMultimodal("tiny")[0]
        >>> scores = Measurement(metrics=["HitRate"])(LightGCN.from_data(data), data)
        >>> {split: list(found) for split, found in scores.items()}
        {'val': ['HitRate@10', 'HitRate@20'], 'test': ['HitRate@10', 'HitRate@20']}
    """

    protocol: EvaluationProtocol = "strict"
    metrics: Sequence[Metric] = DEFAULT_METRICS
    by_degree: bool = False

    def __call__(self, model: Recommender, data: HeteroData) -> dict[str, Any]:
        """Returns ``val`` and ``test``, scores by name, and perhaps ``by_degree``."""
        scores: dict[str, Any] = {
            split: evaluate(model, data, split, protocol=self.protocol, metrics=self.metrics)
            for split in options_of(HeldOutSplit)
        }
        if self.by_degree:
            scores["by_degree"] = {
                by: evaluate_by_degree(model, data, "test", by=by, protocol=self.protocol)
                for by in options_of(DegreeOf)
            }
        return scores

    def is_in(self, run: Mapping[str, Any]) -> bool:
        """Whether a run that was measured before holds all of it."""
        names = {score.partition("@")[0] for score in run["test"]}
        return names.issuperset(self.metrics) and ("by_degree" in run or not self.by_degree)

"""Answers of a trained model, from the folder that ``python -m crane_pyg export`` writes.

Needs numpy, and neither torch nor the data that the model was trained on.
"""

from crane_pyg.serving.explain import Contribution, Explanation
from crane_pyg.serving.ranking import Ranking, UnknownIdError
from crane_pyg.serving.recommender import Recommender

__all__ = ["Contribution", "Explanation", "Ranking", "Recommender", "UnknownIdError"]

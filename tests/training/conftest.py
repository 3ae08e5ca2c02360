import pytest
import torch

from crane_pyg.nn.models import Recommender


class Fixed(Recommender):
    """Scores that a test chooses: user i's embedding is the i-th row of the score matrix."""

    def __init__(self, score):
        super().__init__()
        self.score = score

    def forward(self, data):
        return self.score, torch.eye(self.score.size(1))


@pytest.fixture
def fixed():
    return Fixed

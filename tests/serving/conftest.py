import pytest
import torch

from crane_pyg.export import ItemTexts, export_model
from crane_pyg.nn.models import MODELS
from crane_pyg.serving import Recommender
from crane_pyg.training import fit


@pytest.fixture
def exported(checkerboard, tmp_path):
    """Trains a small model on the checkerboard and exports it; returns both."""

    def make(name="lightgcn", **settings):
        torch.manual_seed(0)
        kind = MODELS[name]
        small = {"embedding_dim": 8, "k": 3}
        small = {key: value for key, value in small.items() if key in kind.settings()}
        model = kind.from_settings(checkerboard, **small | settings)
        fit(model, checkerboard, epochs=15, batch_size=64, lr=0.02, progress=False)
        export_model(
            model,
            checkerboard,
            tmp_path / "shop",
            user_ids=[f"user {number}" for number in range(24)],
            item_ids=[f"item {number}" for number in range(40)],
            texts=ItemTexts([f"Thing № {number}" for number in range(40)], None),
            about={"model": name, "settings": settings, "seed": 0},
        )
        return model, Recommender.load(tmp_path / "shop")

    return make

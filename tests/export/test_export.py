"""What is exported ranks as the trained model does, whatever the model."""

import numpy as np
import pytest
import torch

from crane_pyg.export import export_model
from crane_pyg.nn.models import MODELS, SolvedRecommender
from crane_pyg.serving import Recommender
from crane_pyg.training import fit, recommend

EXACT = {"bm3", "crane", "freedom", "lattice", "lightgcn", "popularity", "simplex", "slmrec"}


def trained(name, data, **settings):
    torch.manual_seed(0)
    kind = MODELS[name]
    small = {"embedding_dim": 8, "k": 3, **settings}
    small = {key: value for key, value in small.items() if key in kind.settings()}
    model = kind.from_settings(data, **small)
    epochs = 1 if issubclass(kind, SolvedRecommender) else 3
    fit(model, data, epochs=epochs, batch_size=64, lr=0.01, progress=False)
    return model.eval()


def export(model, data, out, **options):
    num_users, num_items = data["user"].num_nodes, data["item"].num_nodes
    users = [f"user {number}" for number in range(num_users)]
    items = [f"item {number}" for number in range(num_items)]
    export_model(model, data, out, user_ids=users, item_ids=items, **options)
    return Recommender.load(out)


@pytest.fixture(scope="module")
def tiny():
    from crane_pyg.datasets import load_dataset

    return load_dataset("tiny")[0]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_the_artefact_ranks_as_the_model(name, tiny, tmp_path):
    model = trained(name, tiny)
    shop = export(model, tiny, tmp_path / "shop")
    item, score = recommend(model, tiny, k=10)
    for row, ranking in enumerate(shop.recommend(list(shop.user_ids), 10)):
        wanted = score[row][score[row] > -torch.inf]
        np.testing.assert_allclose(ranking.scores, wanted, rtol=2e-5, atol=2e-5)
        found = [int(name.removeprefix("item ")) for name in ranking.ids]
        # Of equals each names any first; nobody else's order may differ.
        for place, expected in enumerate(item[row][: len(found)].tolist()):
            if found[place] != expected:
                assert (wanted == wanted[place]).sum() > 1 or place == len(found) - 1
                same = model.scorer(tiny)(torch.tensor([row]))[0]
                torch.testing.assert_close(same[found[place]], same[expected], rtol=0, atol=0)

import numpy as np
import pytest
import torch

from crane_pyg.export import export_model
from crane_pyg.export.vectors import write_vectors
from crane_pyg.nn.models import MODELS

parquet = pytest.importorskip("pyarrow.parquet")


def exported(name, data, folder):
    model = MODELS[name].from_data(data)
    if name == "ease":
        model.solve(data)
    users, items = ([f"{kind} {n}" for n in range(size)] for kind, size in (("u", 24), ("i", 40)))
    export_model(model, data, folder, user_ids=users, item_ids=items)
    return model


def test_products_of_the_vectors_are_the_models_scores(checkerboard, tmp_path):
    model = exported("simplex", checkerboard, tmp_path).eval()
    users, items = (parquet.read_table(path) for path in write_vectors(tmp_path))
    assert users["id"].to_pylist()[3] == "u 3"
    user, item = (np.stack(table["vector"].to_numpy()) for table in (users, items))
    score = model.scores(*model(checkerboard))
    torch.testing.assert_close(torch.from_numpy(user @ item.T), score, rtol=1e-5, atol=1e-6)


def test_a_model_without_vectors_is_refused(checkerboard, tmp_path):
    exported("ease", checkerboard, tmp_path)
    with pytest.raises(ValueError, match="must hold vectors"):
        write_vectors(tmp_path)

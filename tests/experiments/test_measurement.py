from crane_pyg.experiments import Measurement
from crane_pyg.nn.models import LightGCN
from crane_pyg.training import evaluate, evaluate_by_degree


def test_it_is_what_evaluation_says(checkerboard):
    model = LightGCN.from_data(checkerboard)
    measure = Measurement("mmrec", ("MRR", "Recall"), by_degree=True)
    expected = {
        split: evaluate(model, checkerboard, split, protocol="mmrec", metrics=("MRR", "Recall"))
        for split in ("val", "test")
    }
    assert measure._replace(by_degree=False)(model, checkerboard) == expected
    by_degree = {
        by: evaluate_by_degree(model, checkerboard, "test", by=by, protocol="mmrec")
        for by in ("user", "item")
    }
    assert measure(model, checkerboard) == expected | {"by_degree": by_degree}


def test_what_a_run_holds_already():
    run = {"test": {"Recall@10": 0.1, "NDCG@10": 0.2, "MRR@10": 0.3}}
    assert Measurement().is_in(run)
    assert Measurement(metrics=("MRR",)).is_in(run)
    assert not Measurement(metrics=("Recall", "MAP")).is_in(run)
    assert not Measurement(by_degree=True).is_in(run)
    assert Measurement(by_degree=True).is_in(run | {"by_degree": {}})

import pytest

from crane_pyg.experiments import complete_settings, plan_search
from crane_pyg.experiments.plan import SearchPlan

SPACE = {"ranking": ["bpr", "softmax"], "ranking_temperature": [0.2, 0.1], "l2": [1e-2, 1e-4]}


def test_it_says_what_would_be_tried():
    plan = SearchPlan("lightgcn", SPACE, {"epochs": 250, "lr": 0.001}, 2.0, (21, 250))
    assert plan.describe(4, 900.0).splitlines() == [
        "lightgcn, 6 combinations; the first trial takes the first of each:",
        "  ranking: bpr, softmax",
        "  ranking_temperature: 0.2, 0.1",
        "  l2: 0.01, 0.0001",
        "with epochs 250, lr 0.001",
        "an epoch and its validation took 2.00 s; a trial that is not pruned has 21 to 250 epochs: "
        "42 to 500 s",
        "4 trials, 168 to 2000 s at most",
        "900 s of training: 1 to 6 of them, more if pruned",
        "fewer trials or epochs, a budget or less patience make it shorter",
    ]
    assert len(plan.describe().splitlines()) == 7


def test_one_epoch_is_timed(checkerboard, monkeypatch):
    now = iter([100.0, 103.5])
    monkeypatch.setattr("crane_pyg.experiments.plan.time.perf_counter", lambda: next(now))
    settings = complete_settings("lightgcn", {"epochs": 30, "patience": 4, "eval_every": 2})
    trained = []
    monkeypatch.setattr(
        "crane_pyg.experiments.plan.fit",
        lambda model, data, **options: trained.append((model, options)),
    )
    plan = plan_search(checkerboard, "lightgcn", space=SPACE, settings=settings)
    assert (plan.seconds, plan.epochs) == (3.5, (10, 30))
    assert plan.settings == settings
    ((model, options),) = trained
    assert options["epochs"] == 1
    assert model.objective.ranking.name == "bpr"
    assert model.objective.regulariser.weight == 1e-2


def test_it_ends_where_training_would(checkerboard):
    settings = complete_settings("lightgcn", {"epochs": 3})
    plan = plan_search(checkerboard, "lightgcn", space=SPACE, settings=settings)
    assert plan.epochs == (3, 3)
    assert plan.seconds > 0
    with pytest.raises(ValueError, match="there must be a setting of lightgcn to search"):
        plan_search(checkerboard, "lightgcn", space={}, settings=settings)

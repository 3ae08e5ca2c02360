"""The search's order of trials, without training: a trial's score is made up."""

import itertools

import pytest

from crane_pyg.experiments.study import ended_trials, open_study, run_trials

optuna = pytest.importorskip("optuna")
SPACE = {"k": [1, 2, 3], "lr": [0.1, 0.01]}
EVERY = [dict(zip(SPACE, values)) for values in itertools.product(*SPACE.values())]


def score(params):
    return params["k"] + params["lr"]


class Scores:
    """Notes what was trained."""

    def __init__(self):
        self.trained = []

    def __call__(self, trial):
        self.trained.append(trial.params)
        trial.set_user_attr("epochs", len(self.trained))
        return score(trial.params)


def test_every_combination_is_tried_once_where_the_trials_suffice(tmp_path):
    study, train = open_study(tmp_path / "trials.db", seed=0), Scores()
    run_trials(study, SPACE, 99, train)
    assert train.trained == EVERY
    assert study.best_params == {"k": 3, "lr": 0.1}


def test_more_trials_go_on_with_what_was_drawn_before(tmp_path):
    first, second = Scores(), Scores()
    run_trials(open_study(tmp_path / "trials.db", seed=0), SPACE, 3, first)
    assert len(first.trained) <= 3
    study = open_study(tmp_path / "trials.db", seed=0)
    run_trials(study, SPACE, 6, second)
    trained = first.trained + second.trained
    assert all(trained.count(params) == 1 for params in trained)
    assert all(trial.value == score(trial.params) for trial in ended_trials(study))


def test_settings_that_come_again_are_not_trained_again(tmp_path):
    study, train = open_study(tmp_path / "trials.db", seed=0), Scores()
    for _ in range(2):
        study.enqueue_trial({"k": 2, "lr": 0.1})
    run_trials(study, SPACE, 2, train)
    assert train.trained == [{"k": 2, "lr": 0.1}]
    assert [trial.value for trial in ended_trials(study)] == [2.1, 2.1]
    assert [trial.user_attrs["epochs"] for trial in ended_trials(study)] == [1, 1]


def test_a_killed_trial_is_first_in_line(tmp_path):
    def killed(trial):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trials(open_study(tmp_path / "trials.db", seed=0), SPACE, 4, killed)
    study, train = open_study(tmp_path / "trials.db", seed=0), Scores()
    lost = study.trials[0].params
    assert ended_trials(study) == []
    run_trials(study, SPACE, 4, train)
    assert train.trained[0] == lost
    assert len(ended_trials(study)) == 4


def test_an_error_or_a_stop_ends_a_trial_and_not_the_search(tmp_path):
    def train(trial):
        if trial.params["k"] == 1:
            raise ValueError("k is too small")
        if trial.params["k"] == 2:
            raise optuna.TrialPruned
        return score(trial.params)

    study = open_study(tmp_path / "trials.db", seed=0)
    run_trials(study, SPACE, 6, train)
    states = {trial.params["k"]: trial.state.name for trial in ended_trials(study)}
    assert states == {1: "FAIL", 2: "PRUNED", 3: "COMPLETE"}
    errors = {trial.user_attrs.get("error") for trial in study.trials}
    assert errors == {None, "k is too small"}


def test_what_comes_first_is_tried_first_where_not_everything_is(tmp_path):
    first = [{"k": 3, "lr": 0.01}, {"k": 2, "lr": 0.01}]
    study, train = open_study(tmp_path / "trials.db", seed=0), Scores()
    run_trials(study, SPACE, 3, train, first=first)
    assert train.trained[:2] == first


def test_without_a_number_every_combination_is_trained_once(tmp_path):
    study, train = open_study(tmp_path / "trials.db", seed=0), Scores()
    run_trials(study, SPACE, None, train)
    assert sorted(map(str, train.trained)) == sorted(map(str, EVERY))


def test_what_fell_behind_is_not_trained_again(tmp_path):
    def train(trial):
        trained.append(trial.params)
        raise optuna.TrialPruned

    trained = []
    study = open_study(tmp_path / "trials.db", seed=0)
    for _ in range(2):
        study.enqueue_trial({"k": 2, "lr": 0.1})
    run_trials(study, SPACE, 2, train)
    assert trained == [{"k": 2, "lr": 0.1}]
    assert [trial.state.name for trial in ended_trials(study)] == ["PRUNED"] * 2


@pytest.mark.parametrize(
    ("epoch", "score", "stops"), [(3, 0.11, False), (4, 0.11, True), (4, 0.2, False)]
)
def test_the_lowest_third_is_stopped_after_a_few_epochs(tmp_path, epoch, score, stops):
    study = open_study(tmp_path / "trials.db", seed=0)
    for others in (0.1, 0.15, 0.3, 0.4):  # a third of the way from the lowest is 0.15
        trial = study.ask()
        for step in range(1, 20):
            trial.report(others, step)
        study.tell(trial, others)
    trial = study.ask()
    trial.report(score, epoch)
    assert trial.should_prune() == stops

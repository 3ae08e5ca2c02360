"""The search's order of trials, without training: a trial's score is made up."""

import itertools

import pytest

from crane_pyg.experiments.study import new_study, run_trials, write_trial

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


def search(folder, trials, train, space=SPACE, seed=0, **limits):
    study = new_study()
    run_trials(study, space, trials, train, folder, seed, **limits)
    return study


def test_every_combination_is_tried_once_where_the_trials_suffice(tmp_path):
    train = Scores()
    study = search(tmp_path, 99, train)
    assert train.trained == EVERY
    assert study.best_params == {"k": 3, "lr": 0.1}


def test_more_trials_go_on_with_what_was_drawn_before(tmp_path):
    first, second = Scores(), Scores()
    search(tmp_path, 3, first)
    assert len(first.trained) <= 3
    study = search(tmp_path, 6, second)
    trained = first.trained + second.trained
    assert all(trained.count(params) == 1 for params in trained)
    assert all(trial.value == score(trial.params) for trial in study.trials)
    assert len(search(tmp_path, 2, None).trials) == len(study.trials)


def test_settings_that_come_again_are_not_trained_again(tmp_path):
    train = Scores()
    study = search(tmp_path, 9, train, {"k": [2, 3], "lr": [0.1] * 5})
    assert len(study.trials) > len(train.trained) == 2
    assert [trial.value for trial in study.trials] == [score(t.params) for t in study.trials]
    assert {trial.user_attrs["epochs"] for trial in study.trials} == {1, 2}


WIDE = {"k": list(range(8)), "lr": [0.1, 0.2, 0.3, 0.4, 0.5]}


def told(study):
    return [(t.params, t.state.name, t.value, t.intermediate_values) for t in study.trials]


def uneven(trial):
    """Scores, stops and errors."""
    if trial.params["k"] == 1:
        raise RuntimeError("k is too small")
    trial.report(trial.params["lr"], 1)
    if trial.params["k"] == 2:
        raise optuna.TrialPruned
    return score(trial.params)


@pytest.mark.parametrize("kills", [[0], [3, 1, 2], [12, 1, 1]])
def test_a_killed_search_tries_what_an_unbroken_one_does(tmp_path, kills):
    whole = told(search(tmp_path / "whole", 25, uneven, WIDE))
    for after in kills:
        left = iter(range(after))

        def killed(trial, left=left):
            if next(left, None) is None:
                raise KeyboardInterrupt
            return uneven(trial)

        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "killed", 25, killed, WIDE)
    assert told(search(tmp_path / "killed", 25, uneven, WIDE)) == whole
    assert told(search(tmp_path / "other", 25, uneven, WIDE, seed=1)) != whole


def test_a_damaged_trial_is_tried_again_and_no_other(tmp_path):
    whole = told(search(tmp_path, 25, uneven, WIDE))
    (tmp_path / "14.json").write_text("{}")
    train = Scores()
    again = search(tmp_path, 25, lambda trial: train(trial) and uneven(trial), WIDE)
    assert told(again) == whole
    assert len(train.trained) <= 1


def test_an_error_or_a_stop_ends_a_trial_and_not_the_search(tmp_path):
    study = search(tmp_path, 6, uneven)
    states = {trial.params["k"]: trial.state.name for trial in study.trials}
    assert states == {1: "FAIL", 2: "PRUNED", 3: "COMPLETE"}
    errors = {trial.user_attrs.get("error") for trial in study.trials}
    assert errors == {None, "RuntimeError: k is too small"}


def test_a_full_disk_ends_the_search(tmp_path):
    def full(trial):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        search(tmp_path, 6, full)
    assert list(tmp_path.iterdir()) == []


def test_what_comes_first_is_tried_first_where_not_everything_is(tmp_path):
    first = [{"k": 3, "lr": 0.01}, {"k": 2, "lr": 0.01}]
    train = Scores()
    search(tmp_path, 1, train, first=first)
    search(tmp_path, 3, train, first=first)
    assert train.trained[:2] == first


@pytest.mark.parametrize("kill", [0, 1, 4])
def test_without_a_number_every_combination_is_trained_once(tmp_path, kill):
    def killed(trial):
        if len(train.trained) == kill:
            raise KeyboardInterrupt
        return train(trial)

    train = Scores()
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, None, killed)
    study = search(tmp_path, None, train)
    assert sorted(map(str, train.trained)) == sorted(map(str, EVERY))
    whole = search(tmp_path / "whole", None, Scores())
    assert told(study) == told(whole)


def test_what_fell_behind_is_not_trained_again(tmp_path):
    def train(trial):
        trained.append(trial.params)
        raise optuna.TrialPruned

    trained = []
    again = {"k": 2, "lr": 0.1}
    study = search(tmp_path, 2, train, first=[again, again])
    assert trained == [again]
    assert [trial.state.name for trial in study.trials] == ["PRUNED"] * 2


def test_a_trial_that_was_killed_is_tried_with_the_seconds_it_had(tmp_path):
    def train(trial):
        before = trial.user_attrs.get("seconds", 0.0)
        tried.append((trial.params, before))
        trial.set_user_attr("seconds", before + 5.0)
        write_trial(tmp_path, trial.study.trials[-1])
        if len(tried) in (2, 3):
            raise KeyboardInterrupt
        return score(trial.params)

    tried = []
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path, None, train, budget=22)
    study = search(tmp_path, None, train, budget=22)
    assert [seconds for _, seconds in tried] == [0, 0, 5, 10, 0]
    assert tried[1][0] == tried[2][0] == tried[3][0]
    assert [trial.user_attrs["seconds"] for trial in study.trials] == [5, 15, 5]


@pytest.mark.parametrize(
    ("epoch", "score", "stops"), [(3, 0.11, False), (4, 0.11, True), (4, 0.2, False)]
)
def test_the_lowest_third_is_stopped_after_a_few_epochs(epoch, score, stops):
    study = new_study()
    for others in (0.1, 0.15, 0.3, 0.4):  # a third of the way from the lowest is 0.15
        trial = study.ask()
        for step in range(1, 20):
            trial.report(others, step)
        study.tell(trial, others)
    trial = study.ask()
    trial.report(score, epoch)
    assert trial.should_prune() == stops

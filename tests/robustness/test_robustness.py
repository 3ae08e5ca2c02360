"""Some seeded faults of each kind; ``python -m tests.robustness`` has many."""

import pytest

from tests.robustness.attacks import ELSE, KINDS, Target
from tests.robustness.subjects import SUBJECTS


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    """Each subject as it ends unharmed."""
    root, made = tmp_path_factory.mktemp("robustness"), {}

    def target(name):
        if name not in made:
            made[name] = Target(name, root)
        return made[name]

    return target


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_ends_in_the_same_result_or_in_a_clear_line(targets, kind):
    outcome = targets("train").attack(kind, f"quick-{kind}")
    assert outcome.end != ELSE, outcome.detail


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("kind", KINDS)
def test_faults_of_every_kind_on_every_command(targets, name, kind, seed):
    outcome = targets(name).attack(kind, f"slow-{kind}-{name}-{seed}")
    assert outcome.end != ELSE, outcome.detail

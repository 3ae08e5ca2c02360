from typing import Literal

import pytest

from crane_pyg.choices import check_choice, choices

Fruit = Literal["apple", "pear"]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Fruit, ("apple", "pear")),
        (Fruit | None, ("apple", "pear", None)),
        (Fruit | int | None, ()),
        (str | None, ()),
        (str, ()),
        (list[str], ()),
    ],
)
def test_choices(annotation, expected):
    assert choices(annotation) == expected


def test_what_is_none_of_them_is_refused():
    check_choice("fruit", "pear", Fruit)
    check_choice("fruit", None, Fruit | None)
    with pytest.raises(ValueError, match=r"fruit must be one of 'apple', 'pear' \(got 'plum'\)"):
        check_choice("fruit", "plum", Fruit)

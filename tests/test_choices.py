from typing import Literal

import pytest

from crane_pyg.choices import check_choice, options_of

Size = Literal["small", "large"]


@pytest.mark.parametrize(
    ("choices", "options"),
    [
        (Size, ("small", "large")),
        (Size | None, ("small", "large", None)),
        (Size | Literal["none", 3], ("small", "large", "none", 3)),
    ],
)
def test_every_value_of_a_type_in_its_order(choices, options):
    assert options_of(choices) == options
    for value in options:
        check_choice("size", value, choices)


@pytest.mark.parametrize("kind", [int, str | None, list[str], Size | int, list[Size] | None])
def test_an_open_type_has_no_list_of_values(kind):
    assert options_of(kind) == ()


def test_names_in_a_table_are_choices_too():
    check_choice("size", "large", {"small": 1, "large": 2})
    with pytest.raises(ValueError, match=r"^size must be one of 's', 'l' \(got 'm'\)$"):
        check_choice("size", "m", {"s": 1, "l": 2})


@pytest.mark.parametrize("value", ["Small", "", 3, None, ["small"]])
def test_another_value_is_named_beside_those_there_are(value):
    with pytest.raises(ValueError, match=r"^size must be one of 'small', 'large' \(got ") as error:
        check_choice("size", value, Size)
    assert str(error.value).endswith(f"(got {value!r})")

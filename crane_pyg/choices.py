"""Settings whose values are a closed set: a ``Literal`` type says what they may be.

One ``Literal`` feeds the annotation, the check, the error and the choices of the command line.
Names that a table holds, such as those of the models, are checked and refused in the same words.
"""

from collections.abc import Collection
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin


def options_of(choices: Any) -> tuple[Any, ...]:
    """The values allowed by a ``Literal``, or by a union of ``Literal`` types and ``None``.

    Args:
        choices: the type, such as ``Literal["a", "b"]`` or ``Literal["a", "b"] | None``.

    Returns:
        the values in their order; none where the type allows more than single values.
    """
    if choices is None or choices is type(None):
        return (None,)
    if get_origin(choices) is Literal:
        return get_args(choices)
    if get_origin(choices) not in (Union, UnionType):
        return ()
    parts = [options_of(part) for part in get_args(choices)]
    return tuple(value for part in parts for value in part) if all(parts) else ()


def check_choice(name: str, value: object, choices: Any) -> None:
    """Refuse a value that a setting cannot have.

    Args:
        name: what the setting is called, for the error.
        value: what was given.
        choices: a type of which :func:`options_of` tells the values, or the values themselves.

    Raises:
        ValueError: if the value is none of the choices.
    """
    options = tuple(choices) if isinstance(choices, Collection) else options_of(choices)
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))} (got {value!r})")

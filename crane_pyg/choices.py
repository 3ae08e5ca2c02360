"""Settings whose values are a closed set: a ``Literal`` type says what they may be.

One ``Literal`` feeds the annotation, the check, the error and the choices of the command line.
"""

from typing import Any, get_args


def options_of(choices: Any) -> tuple[Any, ...]:
    """The values that a ``Literal``, or a union of ``Literal`` types and ``None``, allows.

    Args:
        choices: the type, such as ``Literal["a", "b"]`` or ``Literal["a", "b"] | None``.
    """
    if choices is None or choices is type(None):
        return (None,)
    values: list[Any] = []
    for part in get_args(choices):
        values += options_of(part) if get_args(part) or part is type(None) else (part,)
    return tuple(values)


def check_choice(name: str, value: object, choices: Any) -> None:
    """Refuse a value that a setting cannot have.

    Args:
        name: what the setting is called, for the error.
        value: what was given.
        choices: as :func:`options_of` takes it.

    Raises:
        ValueError: if the value is none of the choices.
    """
    options = options_of(choices)
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))} (got {value!r})")

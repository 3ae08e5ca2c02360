"""Settings that are one of a few words. A ``Literal`` type names the words once: for the type
checker, for the check at construction, for help texts and for the command line."""

from typing import Any, Literal, get_args, get_origin


def choices(annotation: Any) -> tuple[Any, ...]:
    """The values that a ``Literal`` type allows, or a union of such types and ``None``.

    Args:
        annotation: the type.

    Returns:
        the values in order; none where the annotation allows anything but single values.
    """
    if annotation in (None, type(None)):
        return (None,)
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    parts = [choices(part) for part in get_args(annotation)]
    return tuple(value for part in parts for value in part) if all(parts) else ()


def check_choice(name: str, value: object, annotation: Any) -> None:
    """Refuse a value that the type does not allow.

    Args:
        name: of the argument, for the message.
        value: what was given.
        annotation: a type that :func:`choices` understands.

    Raises:
        ValueError: if the value is none of those.
    """
    allowed = choices(annotation)
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))} (got {value!r})")

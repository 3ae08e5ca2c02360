"""Choosing the columns of a table by their names, given or usual."""

import re
from collections.abc import Mapping, Sequence

from crane_pyg.datasets.columns import USUAL_NAMES, Role
from crane_pyg.datasets.tables import Table
from crane_pyg.limits import shown

MOST_NAMED = 6  # columns that are left over


def choose_column(
    table: Table, role: str, given: str | None, *, needed: bool, option: str
) -> str | None:
    """Returns the column for a role: the one given, or the only one with a usual name.

    Args:
        table (Table): The table to choose from.
        role (str): One of :class:`~crane_pyg.datasets.columns.Role`.
        given (str or None): The name of the column, if a person gave it.
        needed (bool): Whether it is an error that there is none.
        option (str): The option that gives the name, for messages.

    Raises:
        ValueError: if the one given is not there, several have a usual name, or none has and
            one is needed.
    """
    if given is not None:
        if given not in table.columns:
            raise ValueError(
                f"'{table.path}' has no column {given!r} for {option} (got {shown(table.columns)})"
            )
        return given
    found = [column for column in table.columns if _plain(column) in USUAL_NAMES[role]]
    if len(found) > 1:
        raise ValueError(
            f"'{table.path}': several columns may hold the {role}, say which with {option} "
            f"(got {found})"
        )
    if not found and needed:
        raise ValueError(
            f"'{table.path}' has no column with a usual name for the {role}, say which with "
            f"{option} (got {shown(table.columns)})"
        )
    return found[0] if found else None


def choose_texts(table: Table, given: Sequence[str] | None, *, option: str) -> list[str]:
    """Returns the columns of texts: those given, or all with a usual name, in the table's order.

    Args:
        table (Table): The table to choose from.
        given (sequence of str or None): The names of the columns, if a person gave them.
        option (str): The option that gives them, for messages.

    Raises:
        ValueError: if one of those given is not there.
    """
    if given is None:
        return [column for column in table.columns if _plain(column) in USUAL_NAMES[Role.TEXT]]
    for column in given:
        choose_column(table, Role.TEXT, column, needed=True, option=option)
    return list(given)


def choose_title(table: Table) -> str | None:
    """Returns the column of titles: ``title``, ``name``, or one like ``movie_title``, if any.

    Args:
        table (Table): The table to choose from.
    """
    plain = {_plain(column): column for column in reversed(table.columns)}
    others = [column for name, column in plain.items() if name.endswith("title")]
    return plain.get("title", plain.get("name", others[-1] if others else None))


def describe_columns(table: Table, chosen: Mapping[str, str | Sequence[str] | None]) -> str:
    """Returns a line that says how long a table is and what its columns are taken for, by role."""
    parts = [
        f"{role} = {column if isinstance(column, str) else ' + '.join(column)}"
        for role, column in chosen.items()
        if column
    ]
    return f"{table.path.name}, {table.size()}: {', '.join(parts)}"


def describe_unused(table: Table, used: Sequence[str | None], *, option: str) -> str:
    """Returns what a line on a table ends with where columns are left over.

    Args:
        table (Table): The table.
        used (sequence of str or None): The columns that are taken for something.
        option (str): The option by which others would be.
    """
    left = [column for column in table.columns if column not in used]
    if not left:
        return ""
    more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
    return f"; not used: {', '.join(map(shown, left[:MOST_NAMED]))}{more} (see {option})"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())

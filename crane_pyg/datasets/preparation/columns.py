"""Which column of a table means what: as told, or by the names that people usually give."""

import re
from collections.abc import Mapping, Sequence

from crane_pyg.datasets.preparation.tables import Table

USER, ITEM, RATING, TIME, LABEL = "user", "item", "rating", "timestamp", "label"
IMAGE, TEXT = "image", "text"

# Compared in lower case and without what is neither letter nor digit.
USUAL = {
    USER: {"user", "userid", "uid", "reviewerid", "customer", "customerid", "visitorid", "member"},
    ITEM: {
        *("item", "itemid", "iid", "asin", "parentasin", "product", "productid", "sku"),
        *("movieid", "bookid", "articleid", "videoid", "trackid", "businessid", "isbn"),
    },
    RATING: {"rating", "ratings", "overall", "score", "stars"},
    TIME: {"timestamp", "time", "date", "datetime", "unixreviewtime", "unixtime", "createdat"},
    LABEL: {"xlabel", "split"},
    IMAGE: {"image", "imagepath", "imagefile", "picture", "photo"},
    TEXT: {
        *("title", "name", "description", "text", "brand", "category", "categories"),
        *("genre", "genres", "tags", "features", "overview", "summary", "author", "artist"),
    },
}


def choose_column(
    table: Table, role: str, given: str | None, *, needed: bool, option: str
) -> str | None:
    """Returns the column for a role: the one given, or the only one with a usual name.

    Args:
        table (Table): Whose columns there are.
        role (str): What the column shall hold.
        given (str or None): A name that must be there.
        needed (bool): Whether it is an error that there is none.
        option (str): What a person would set, for messages.

    Raises:
        ValueError: if the one given is not there, several have a usual name, or none has and
            one is needed.
    """
    if given is not None:
        if given not in table.columns:
            raise ValueError(
                f"'{table.path}' has no column {given!r} for {option} (got {table.columns})"
            )
        return given
    found = [column for column in table.columns if _plain(column) in USUAL[role]]
    if len(found) > 1:
        raise ValueError(
            f"'{table.path}': several columns may hold the {role}, say which with {option} "
            f"(got {found})"
        )
    if not found and needed:
        raise ValueError(
            f"'{table.path}' has no column with a usual name for the {role}, say which with "
            f"{option} (got {table.columns})"
        )
    return found[0] if found else None


def choose_texts(table: Table, given: Sequence[str] | None, *, option: str) -> list[str]:
    """Returns the columns given, or all with a usual name for texts, in the table's order."""
    if given is None:
        return [column for column in table.columns if _plain(column) in USUAL[TEXT]]
    for column in given:
        choose_column(table, TEXT, column, needed=True, option=option)
    return list(given)


def spoken(table: Table, chosen: Mapping[str, str | Sequence[str] | None]) -> str:
    """One line that shows what the columns of a table are taken for."""
    parts = [
        f"{role} = {column if isinstance(column, str) else ' + '.join(column)}"
        for role, column in chosen.items()
        if column
    ]
    return f"{table.path.name}: {', '.join(parts)}"


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())

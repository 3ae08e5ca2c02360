"""What the site says that the package knows itself: its rooms, names, models and commands.

``write_all`` writes it as pages to ``docs/generated`` before Sphinx reads the others.
"""

import importlib
import inspect
import pydoc
import re
from functools import cache
from pathlib import Path
from typing import Any

from rooms_map import draw_rooms, list_rooms
from shown import identity, pages_that_use

from crane_pyg.choices import options_of
from crane_pyg.nn.models import MODELS

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"

# In this order a name is looked for; it has its entry where it is found first.
ROOMS = {
    "datasets": "crane_pyg.datasets",
    "preparation": "crane_pyg.preparation",
    "inspection": "crane_pyg.inspection",
    "encoders": "crane_pyg.encoders",
    "transforms": "crane_pyg.transforms",
    "ops": "crane_pyg.ops",
    "nn": "crane_pyg.nn",
    "nn.conv": "crane_pyg.nn.conv",
    "nn.fusion": "crane_pyg.nn.fusion",
    "nn.graphs": "crane_pyg.nn.graphs",
    "nn.linear": "crane_pyg.nn.linear",
    "nn.objectives": "crane_pyg.nn.objectives",
    "nn.models": "crane_pyg.nn.models",
    "training": "crane_pyg.training",
    "training.trackers": "crane_pyg.training.trackers",
    "experiments": "crane_pyg.experiments",
    "export": "crane_pyg.export",
    "serving": "crane_pyg.serving",
    "server": "crane_pyg.server",
    "demo": "crane_pyg.demo",
}


@cache
def entries() -> dict[str, list[str]]:
    """By room, the names that have their entry there: each object once."""
    found: dict[str, list[str]] = {}
    seen: set[Any] = set()
    for room, module in ROOMS.items():
        found[room] = []
        public = importlib.import_module(module)
        for name in sorted(public.__all__, key=str.lower):
            key = identity(getattr(public, name), name)
            if key not in seen:
                seen.add(key)
                found[room].append(name)
    return found


def directive(module: str, name: str) -> str:
    thing = getattr(importlib.import_module(module), name)
    used = where_used(identity(thing, name))
    if inspect.isclass(thing):
        kind = "autoexception" if issubclass(thing, Exception) else "autoclass"
        more = "   :inherited-members:\n" if split_off(module, thing) else ""
        return f".. {kind}:: {module}.{name}\n{more}{used}"
    if inspect.isfunction(thing):
        return f".. autofunction:: {module}.{name}\n{used}"
    return f".. py:data:: {name}\n\n   {description(thing)}\n{used}"


def where_used(key: Any) -> str:
    """The pages whose code uses a name, as the last line of its entry."""
    pages = ", ".join(f":doc:`/{page}`" for page in pages_that_use().get(key, ()))
    return f"\n   Used in: {pages}\n" if pages else ""


def split_off(module: str, thing: type) -> bool:
    """Whether a class has members of a base that has no page of its own."""
    public = vars(importlib.import_module(module))
    return any(
        base.__module__.startswith(f"{module}.")
        and base.__bases__ == (object,)
        and base.__name__ not in public
        for base in thing.__bases__
    )


def description(constant: Any) -> str:
    """What a constant or a type holds, where Python keeps no docstring of it."""
    if choices := options_of(constant):
        return "One of " + ", ".join(f"``{choice!r}``" for choice in choices) + "."
    if isinstance(constant, dict):
        return "A dict with the keys " + ", ".join(f"``{key!r}``" for key in constant) + "."
    return f"``{constant!r}``"


def room_page(room: str, names: list[str]) -> str:
    module = ROOMS[room]
    lines = [f"# {module}", "", "```{eval-rst}", f".. automodule:: {module}", "   :no-members:", ""]
    for name in names:
        lines += [directive(module, name), ""]
    return "\n".join([*lines, "```", ""])


def models_table() -> str:
    """Every model by the name that commands know, with its first sentence and its presets."""
    rows = ["| `--model` | class | presets |", "|---|---|---|"]
    for name, model in sorted(MODELS.items()):
        entry = f"crane_pyg.nn.models.{model.__name__}"
        presets = ", ".join(f"`{preset}`" for preset in model.presets)
        rows.append(f"| `{name}` | {{py:class}}`~{entry}` | {presets} |")
    return "\n".join(rows) + "\n"


def claims() -> str:
    """The summary of what was measured; files that it links to are no pages, and only named."""
    text = (RESULTS / "claims.md").read_text()
    return re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]+\)", r"\1", text)


def write_all(docs: Path) -> None:
    out = docs / "generated"
    out.mkdir(exist_ok=True)
    pages = {f"api/{room}.md": room_page(room, names) for room, names in entries().items()}
    pages |= {
        "models.txt": models_table(),
        "rooms.svg": draw_rooms(),
        "rooms.txt": list_rooms(),
        "claims.txt": claims(),
    }
    for name, text in pages.items():
        write_changed(out / name, text)


def write_changed(path: Path, text: str) -> None:
    """Leave alone what stands there already, so that Sphinx reads only what changed."""
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def resolve_by_object(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """A name that is public at several places has one entry, found by the object itself.

    What is there but not public is shown without a link; what is not there stays an error.
    """
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target.startswith("crane_pyg."):
        return None
    try:
        thing = pydoc.locate(target)
    except pydoc.ErrorDuringImport:
        return None
    name = target.rpartition(".")[2]
    for room, names in entries().items():
        public = importlib.import_module(ROOMS[room])
        if name in names and getattr(public, name) is thing:
            domain, entry = env.get_domain("py"), f"{ROOMS[room]}.{name}"
            return domain.resolve_xref(
                env, node["refdoc"], app.builder, "obj", entry, node, contnode
            )
    return None if thing is None else contnode


def skip_field_of_tuple(
    app: Any, what: str, name: str, thing: Any, skip: bool, options: Any
) -> bool | None:
    """Fields of named tuples are explained among their arguments."""
    return True if (inspect.getdoc(thing) or "").startswith("Alias for field number") else None


def signature_of_constructor(
    app: Any, what: str, name: str, thing: Any, options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """A class that checks its arguments in ``__new__`` is shown with those of its ``__init__``."""
    if what != "class" or signature != "(*args, **kwargs)":
        return None
    first, *others = inspect.signature(thing.__init__).parameters.values()
    untyped = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in others]
    return str(inspect.Signature(untyped)), returns

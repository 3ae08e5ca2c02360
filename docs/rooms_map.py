"""The map of the house: floors and rooms as the tests hold them, lines as the files import."""

import ast
from collections.abc import Iterator

from tests.test_floors import FILES, FLOORS, LEVEL, imports, module_of, room_of

WIDTH, STEP, ROOM_HEIGHT = 860, 64, 30
HIDDEN = {"", "schema", "choices", "ranges", "limits", "locks", "ranks", "files", "seals"}


def room_imports() -> dict[str, set[str]]:
    """By room, the rooms that its files import."""
    found: dict[str, set[str]] = {room: set() for room in LEVEL}
    for file, path in FILES.items():
        here = room_of(module_of(file))
        for name in imports(ast.parse(path.read_text())):
            if name.startswith("crane_pyg."):
                there = room_of(name.removeprefix("crane_pyg."))
                found[here] |= {there} - {here}
    return found


def direct(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without the lines that others imply: what a room reaches through another room."""

    def beneath(room: str) -> set[str]:
        return set().union(*({other} | beneath(other) for other in graph[room]))

    return {
        room: others - set().union(*(beneath(other) for other in others))
        for room, others in graph.items()
    }


def shown_floors() -> list[list[str]]:
    """From the top; without what every room reads."""
    floors = [[room for room in rooms if room not in HIDDEN] for rooms in reversed(FLOORS)]
    return [rooms for rooms in floors if rooms]


def draw_rooms() -> str:
    """Returns the map as SVG in HTML, in the colours of the page around it."""
    floors = shown_floors()
    graph = room_imports()
    shown = {room for rooms in floors for room in rooms}
    graph = direct({room: graph[room] & shown for room in shown})
    centre = {
        room: ((place + 0.5) * WIDTH / len(rooms), 24 + floor * STEP)
        for floor, rooms in enumerate(floors)
        for place, room in enumerate(rooms)
    }
    height = 24 + len(floors) * STEP
    return "\n".join(
        [
            '<div class="rooms" tabindex="0">',  # scrolls on a phone, by keys too
            f'<svg viewBox="0 0 {WIDTH} {height}" role="img" '
            'aria-label="rooms of the package and what they import">',
            *lines(graph, centre),
            *(box(room, *centre[room]) for room in centre),
            "</svg>",
            "</div>\n",
        ]
    )


def list_rooms() -> str:
    """Returns a table of the rooms from the top, with what each imports of the rooms shown."""
    shown = {room for rooms in shown_floors() for room in rooms}
    graph = room_imports()
    rows = [
        f"| `{room}` | {', '.join(f'`{other}`' for other in sorted(graph[room] & shown))} |"
        for rooms in shown_floors()
        for room in rooms
    ]
    return "\n".join(["| room | imports |", "|---|---|", *rows, ""])


def lines(graph: dict[str, set[str]], centre: dict[str, tuple[float, float]]) -> Iterator[str]:
    half = ROOM_HEIGHT / 2
    for room in centre:
        for other in sorted(graph[room]):
            (x, y), (to_x, to_y) = centre[room], centre[other]
            bend = (to_y - y) / 2
            yield (
                f'<path d="M{x:.0f} {y + half:.0f} C{x:.0f} {y + bend:.0f} '
                f'{to_x:.0f} {to_y - bend:.0f} {to_x:.0f} {to_y - half:.0f}"/>'
            )


def box(room: str, x: float, y: float) -> str:
    width = 20 + 8 * len(room)
    return (
        f'<g><rect x="{x - width / 2:.0f}" y="{y - ROOM_HEIGHT / 2:.0f}" width="{width}" '
        f'height="{ROOM_HEIGHT}" rx="6"/><text x="{x:.0f}" y="{y + 5:.0f}">{room}</text></g>'
    )

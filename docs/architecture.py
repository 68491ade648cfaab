"""Draws the rooms of both packages and their imports: `python docs/architecture.py` → docs/project/architecture.svg.

A room stands above every room that it imports. An arrow is left out where a chain of other arrows says the same.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[1]
PACKAGES = {"mobile_sdk": "#2563eb", "qat": "#c2410c"}
WIDTH_PX, HEIGHT_PX, GAP_PX, FLOOR_PX = 128, 34, 14, 84
STYLE = """
text { font: 13px system-ui, sans-serif; text-anchor: middle; fill: #111827 }
rect { fill: #ffffff; stroke-width: 1.5; rx: 6 }
path { fill: none; stroke: #9ca3af; stroke-width: 1 }
"""


@dataclass(frozen=True, kw_only=True)
class Room:
    """A folder or module directly below a package: its name, as `qat.data`, and the rooms that it imports."""

    name: str
    imports: frozenset[str]


def read_rooms(root: Path = ROOT) -> dict[str, Room]:
    """Returns the rooms of both packages by name; `__init__` and `__main__` of a package are none."""
    used: dict[str, set[str]] = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            if parts[1].startswith("__"):
                continue
            own = f"{package}.{parts[1]}"
            found = {room for name in _imported(path) if (room := _room_of(name, root)) and room != own}
            used.setdefault(own, set()).update(found)
    return {name: Room(name=name, imports=frozenset(imports)) for name, imports in used.items()}


def floors(rooms: dict[str, Room]) -> dict[str, int]:
    """Returns the floor of each room: 0 for one that imports no other, else one above the highest that it imports."""
    found: dict[str, int] = {}

    def floor(name: str) -> int:
        if name not in found:
            found[name] = max((floor(below) + 1 for below in rooms[name].imports), default=0)
        return found[name]

    for name in rooms:
        floor(name)
    return found


def arrows(rooms: dict[str, Room]) -> list[tuple[str, str]]:
    """Returns (from, to) of every import that no chain of other imports says as well."""
    reached = {name: _reached(name, rooms) for name in rooms}
    return [
        (name, below)
        for name, room in sorted(rooms.items())
        for below in sorted(room.imports)
        if not any(below in reached[other] for other in room.imports - {below})
    ]


def draw(rooms: dict[str, Room]) -> str:
    """Returns the picture as SVG text."""
    places, size = _places(rooms)
    boxes = "\n".join(_box(name, x, y) for name, (x, y) in places.items())
    lines = "\n".join(_arrow(places[start], places[end]) for start, end in arrows(rooms))
    tip = '<marker id="tip" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="7" markerHeight="7" orient="auto">'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" width="{size[0]}">
<style>{STYLE}</style>
<defs>{tip}<path d="M0 0 6 3 0 6z" style="fill:#9ca3af;stroke:none"/></marker></defs>
<rect width="100%" height="100%" style="fill:#f9fafb;stroke:none"/>
{lines}
{boxes}
{_legend()}
</svg>
"""


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _room_of(name: str, root: Path) -> str | None:
    package, _, rest = name.partition(".")
    first = rest.partition(".")[0]
    there = (root / package / first).is_dir() or (root / package / f"{first}.py").is_file()
    return f"{package}.{first}" if package in PACKAGES and first and there else None


def _reached(name: str, rooms: dict[str, Room]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for below in rooms[waiting.pop()].imports - found:
            found.add(below)
            waiting.append(below)
    return found


def _places(rooms: dict[str, Room]) -> tuple[dict[str, tuple[int, int]], tuple[int, int]]:
    """Returns the upper left corner of every room, in pixels, and the size of the picture."""
    storey = floors(rooms)
    rows = [sorted(name for name, floor in storey.items() if floor == row) for row in range(max(storey.values()) + 1)]
    step = WIDTH_PX + GAP_PX
    width = max(map(len, rows)) * step + GAP_PX
    places: dict[str, tuple[int, int]] = {}
    for row, names in enumerate(rows):
        below = {name: [places[other][0] for other in rooms[name].imports if other in places] for name in names}
        ordered = sorted(names, key=lambda name: sum(below[name]) / max(1, len(below[name])))
        left = (width - len(names) * step + GAP_PX) // 2
        for index, name in enumerate(ordered):
            places[name] = (left + index * step, GAP_PX + (len(rows) - 1 - row) * FLOOR_PX)
    return places, (width, len(rows) * FLOOR_PX - FLOOR_PX + HEIGHT_PX + 2 * GAP_PX)


def _box(name: str, x: int, y: int) -> str:
    package, _, room = name.partition(".")
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH_PX}" height="{HEIGHT_PX}" stroke="{PACKAGES[package]}"/>'
        f'<text x="{x + WIDTH_PX // 2}" y="{y + HEIGHT_PX // 2 + 4}">{escape(room)}</text>'
    )


def _legend() -> str:
    return "\n".join(
        f'<text x="{GAP_PX}" y="{GAP_PX * 2 + 20 * row}" style="text-anchor:start;fill:{colour}">{package}/</text>'
        for row, (package, colour) in enumerate(PACKAGES.items())
    )


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    x, y = start[0] + WIDTH_PX // 2, start[1] + HEIGHT_PX
    to_x, to_y = end[0] + WIDTH_PX // 2, end[1]
    return f'<path d="M{x} {y}C{x} {y + 40} {to_x} {to_y - 40} {to_x} {to_y}" marker-end="url(#tip)"/>'


if __name__ == "__main__":
    target = ROOT / "docs/project/architecture.svg"
    target.write_text(draw(read_rooms()), encoding="utf-8")
    print(f"{target.relative_to(ROOT)}: {len(read_rooms())} rooms")

"""Dear ImGui's layout as text that may come from elsewhere: what of it belongs to these arrangements, checked before it is used.

Dear ImGui trusts its own text: a node whose parent is missing ends the program. So a text is used only if it is what Dear ImGui itself
would have written: known words, numbers in range, whole trees. Panels that the text does not know yet are put beside their neighbours.
Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from gui_utils.layout import Arrangement
from gui_utils.layout_scale import em_of, with_em

LARGEST_TEXT = 1 << 18
MOST_NODES = 512
LARGEST_PX = 32767
_SECTION = re.compile(r"\[(\w+)\]\[(.*)\]")
_WORD = re.compile(r"(\w+)=(0x[0-9A-Fa-f]{1,8}(?:,-?[0-9]{1,6})?|-?[0-9]{1,8}(?:,-?[0-9]{1,8})?|[XY])")
_NODE_WORDS = (
    "ID", "Parent", "Window", "Pos", "Size", "SizeRef", "Split", "NoResize", "CentralNode", "NoTabBar", "HiddenTabBar",
    "NoWindowMenuButton", "NoCloseButton", "Selected",
)  # fmt: skip
_WINDOW_WORDS = ("Pos", "Size", "Collapsed", "IsChild", "ViewportPos", "ViewportId", "DockId", "ClassId", "LastUsed")


class LayoutError(ValueError):
    """A text is no layout of these arrangements: says where."""


@dataclass(frozen=True)
class _Node:
    id: int
    parent: int
    split: bool


def usable(text: str, arrangements: Iterable[Arrangement]) -> str:
    """The part of `text` that places windows of these arrangements, fit to be given to Dear ImGui; "" where there is none of it.

    Raises LayoutError for everything that Dear ImGui would not have written.
    """
    if len(text) > LARGEST_TEXT:
        raise LayoutError(f"a layout of {len(text)} characters is too long")
    arrangements = tuple(arrangements)
    windows, nodes = _parsed(text)
    known = {_name(a, title): a for a in arrangements for title in a.windows}
    leaves = _leaves(nodes)
    kept = {name: lines for name, lines in windows.items() if name in known}
    for name, lines in kept.items():
        dock = _dock(lines)
        if dock and dock not in leaves:
            raise LayoutError(f"{name} stands in {dock:#x}, which is not a place")
    there = {node.id for node in nodes.values()}
    for arrangement in arrangements:
        if arrangement.dock_id in there:
            kept.update(_newcomers(arrangement, kept, leaves))
    if not nodes:
        return ""
    sections = [f"[Window][{name}]\n" + "\n".join(lines) for name, lines in kept.items()]
    ours = "\n\n".join([*sections, "[Docking][Data]\n" + "\n".join(nodes)]) + "\n"
    em = em_of(text)
    return with_em(ours, em) if em else ours


def _name(arrangement: Arrangement, title: str) -> str:
    return f"{arrangement.name}.{title}"


@lru_cache(maxsize=2)  # whoever saves sessions by itself asks while something is dragged, frame by frame
def _parsed(text: str) -> tuple[dict[str, list[str]], dict[str, _Node]]:
    """Windows by name with their lines, and lines of dock nodes with what they say, in order."""
    windows: dict[str, list[str]] = {}
    nodes: dict[str, _Node] = {}
    kind, name = "", ""
    for line in text.splitlines():
        if not line.strip():
            continue
        if (section := _SECTION.fullmatch(line.strip())) is not None:
            kind, name = section[1], section[2]
            continue
        if kind == "Window":
            _words(line, _WINDOW_WORDS)
            windows.setdefault(name, []).append(line.strip())
        elif kind == "Docking":
            nodes[line.rstrip()] = _node(line)
    return windows, nodes


def _words(line: str, known: Sequence[str]) -> dict[str, str]:
    words: dict[str, str] = {}
    for word in line.split():
        found = _WORD.fullmatch(word)
        if found is None or found[1] not in known or found[1] in words:
            raise LayoutError(f"{line.strip()[:80]!r} is not understood")
        words[found[1]] = found[2]
    pixels = [n for key in ("Pos", "Size", "SizeRef") if key in words for n in words[key].split(",")]
    if any(re.fullmatch(r"-?[0-9]+", n) is None or abs(int(n)) > LARGEST_PX for n in pixels):
        raise LayoutError(f"{line.strip()[:80]!r} is beyond any screen")
    return words


def _node(line: str) -> _Node:
    start, _, rest = line.strip().partition(" ")
    words = _words(rest, _NODE_WORDS)
    pairs = [key for key in ("Pos", "Size", "SizeRef") if "," not in words.get(key, ",")]
    if start not in ("DockSpace", "DockNode") or "ID" not in words or pairs or words.get("Split", "X") not in ("X", "Y"):
        raise LayoutError(f"{line.strip()[:80]!r} is not understood")
    return _Node(_number(words["ID"]), _number(words.get("Parent", "0x0")), "Split" in words)


def _number(text: str) -> int:
    if re.fullmatch(r"0x[0-9A-Fa-f]+", text) is None:
        raise LayoutError(f"{text!r} is not the number of a place")
    return int(text, 16)


def _leaves(nodes: dict[str, _Node]) -> frozenset[int]:
    """The nodes in which windows can stand. Raises LayoutError unless all are whole trees, parents before children."""
    if len(nodes) > MOST_NODES:
        raise LayoutError(f"{len(nodes)} places are too many")
    children: dict[int, int] = {}
    split: dict[int, bool] = {}
    for node in nodes.values():
        if node.id in (0, *split) or (node.parent and node.parent not in split):
            raise LayoutError(f"the place {node.id:#x} does not fit in")
        split[node.id], children[node.id] = node.split, 0
        if node.parent:
            children[node.parent] += 1
    wrong = next((id for id, count in children.items() if count != (2 if split[id] else 0)), None)
    if wrong is not None:
        raise LayoutError(f"the place {wrong:#x} is not divided in two")
    return frozenset(id for id, count in children.items() if count == 0)


def _dock(lines: Sequence[str]) -> int:
    found = next((line for line in lines if line.startswith("DockId=")), "DockId=0x0")
    return _number(found.removeprefix("DockId=").split(",")[0])


def _newcomers(arrangement: Arrangement, kept: dict[str, list[str]], leaves: frozenset[int]) -> dict[str, list[str]]:
    """Windows of the arrangement that the text does not know, each behind a neighbour of its region."""
    found: dict[str, list[str]] = {}
    for title, region in arrangement.windows.items():
        if _name(arrangement, title) in kept:
            continue
        side = region.split(".")[0]
        beside = [t for r in (region, side) for t, where in arrangement.windows.items() if where.startswith(r)]
        docks = [_dock(kept[_name(arrangement, t)]) for t in beside if _name(arrangement, t) in kept]
        dock = next((d for d in docks if d in leaves), None)
        if dock is not None:
            found[_name(arrangement, title)] = [f"DockId=0x{dock:08X},{99 + len(found)}"]
    return found

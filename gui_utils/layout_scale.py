"""A layout's text for another size of font or of the window: what stands at the sides goes with the font, and the middle keeps its part.

Lengths are in screen coordinates, as in the text; `em` is the height of the font that they were made for. Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

CENTRE = 0.3  # of the width that the middle keeps, however large the font and small the window
BOTTOM = 0.45  # of the height that strips below (or above) the middle take at most

Lengths = dict[int, float]  # of the nodes beside the middle, by id: widths at its left and right, heights above and below

_EM = re.compile(r"\[Font\]\[Em\]\nSize=([0-9]{1,4}(?:\.[0-9]{1,6})?)\n")
_NODE = re.compile(r"(DockSpace|DockNode)\s.*?\bID=(0x[0-9A-Fa-f]+)(.*)")
_WORDS = re.compile(r"(\w+)=(\S+)")


def em_of(text: str) -> float | None:
    """The font's height for which a text was made, as `with_em` wrote it."""
    found = _EM.search(text)
    return float(found[1]) or None if found else None


def with_em(text: str, em: float) -> str:
    """`text` and the font's height that it is for, in a section that Dear ImGui passes over."""
    return f"[Font][Em]\nSize={em:.3f}\n\n{_EM.sub('', text).lstrip()}"


def limited(lengths: Sequence[float], room: float) -> list[float]:
    """These lengths where they fit into `room` together; else the longest give way first, until they do."""
    ascending, left = sorted(lengths), room
    for index, length in enumerate(ascending):
        share = max(left, 0.0) / (len(ascending) - index)
        if length > share:
            return [min(other, share) for other in lengths]
        left -= length
    return list(lengths)


def side_lengths(text: str) -> Lengths:
    """How long the nodes beside the middle are, in every tree of the text."""
    nodes = _nodes(text)
    return {id: nodes[id].size[axis] for path in _paths(nodes) for axis, ids in enumerate(_sides(nodes, path)) for id in ids}


def fitting(text: str, wanted: Lengths, room: tuple[float, float]) -> Lengths:
    """What these nodes get of their lengths where all trees have this (width, height): as much as leaves the middle its part."""
    nodes = _nodes(text)
    most, lengths = ((1 - CENTRE) * room[0], BOTTOM * room[1]), dict(wanted)
    for path in _paths(nodes):
        for ids, limit in zip(_sides(nodes, path), most, strict=True):
            lengths.update(zip(ids, limited([wanted[id] for id in ids], limit), strict=True))
    return lengths


def with_lengths(text: str, lengths: Lengths) -> str:
    """`text` with these lengths of its side nodes."""
    nodes = _nodes(text)
    sizes: dict[int, list[float]] = {}
    for path in _paths(nodes):
        for axis, ids in enumerate(_sides(nodes, path)):
            for id in ids:
                sizes.setdefault(id, list(nodes[id].size))[axis] = lengths.get(id, nodes[id].size[axis])
    return "\n".join(_with_size(line, sizes) for line in text.split("\n"))


class _Node:
    def __init__(self, words: Mapping[str, str]) -> None:
        width, _, height = words.get("SizeRef", words.get("Size", "0,0")).partition(",")
        self.size = (float(width), float(height))
        self.parent = int(words.get("Parent", "0x0"), 16)
        self.split = words.get("Split", "")[:1]
        self.central = "CentralNode" in words


def _nodes(text: str) -> dict[int, _Node]:
    found = (_NODE.search(line) for line in text.split("\n"))
    return {int(node[2], 16): _Node(dict(_WORDS.findall(node[3]))) for node in found if node}


def _paths(nodes: Mapping[int, _Node]) -> list[list[int]]:
    """For every middle: the nodes from the root of its tree down to it."""
    paths = []
    for id, node in nodes.items():
        if node.central:
            path = [id]
            while nodes[path[0]].parent in nodes:
                path.insert(0, nodes[path[0]].parent)
            paths.append(path)
    return paths


def _sides(nodes: Mapping[int, _Node], path: Sequence[int]) -> tuple[list[int], list[int]]:
    """What was cut off beside the middle, and above or below it."""
    cuts: tuple[list[int], list[int]] = ([], [])
    for parent, child in pairwise(path):
        beside = [id for id, node in nodes.items() if node.parent == parent and id != child]
        cuts["XY".index(nodes[parent].split)].extend(beside)
    return cuts


def _with_size(line: str, sizes: Mapping[int, Sequence[float]]) -> str:
    node = _NODE.search(line)
    if node is None or int(node[2], 16) not in sizes:
        return line
    width, height = sizes[int(node[2], 16)]
    return re.sub(r"SizeRef=\S+", f"SizeRef={round(width)},{round(height)}", line)

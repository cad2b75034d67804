"""Where things stand: a bar at the top, a line at the bottom, and docked windows between them, in arrangements that remember changes.

Each arrangement (a workspace) has a dock space of its own, and its windows carry its name in their hidden id; so what the user
moves in one workspace stays there, and Dear ImGui's layout file remembers all of them.

    explore = Arrangement("explore", {"Picture": "centre", "Latent": "left", "Pose": "left", "Layers": "right"})
    with top_bar() as shown: ...
    with status_line() as shown: ...
    dock_area(explore, all_arrangements)
    with docked_window(explore, "Latent") as visible:
        if visible: ...
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from gui_utils.layout_scale import BOTTOM, CENTRE, limited
from gui_utils.libraries import imgui
from gui_utils.tone import BACKGROUND

built: dict[int, tuple[float, float]] = {}  # by node beside the middle: what it got when it was built (px), and what was asked for (em)
_settling: dict[int, list[str]] = {}  # by dock space: the windows that are still to come to the front after it was built
REGIONS = ("centre", "left", "left.lower", "right", "right.lower", "bottom")

# Else the last window drawn comes to the front at the start; and Tab, which means the picture, would go to the next control, too.
_KEYS_ARE_OURS = imgui.WindowFlags_.no_focus_on_appearing.value | imgui.WindowFlags_.no_nav_inputs.value


@dataclass(frozen=True)
class Arrangement:
    """windows: title -> one of REGIONS; windows of one region are tabs, in this order, the first in front.

    Sizes are in em; those of a region without windows are ignored. `lower`: the part of a side's height that its lower half takes;
    `right_lower`: at the right, where that differs.
    """

    name: str
    windows: Mapping[str, str]
    left_em: float = 21.0
    right_em: float = 24.0
    bottom_em: float = 14.0
    lower: float = field(default=0.5, kw_only=True)
    right_lower: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for title, region in self.windows.items():
            if region not in REGIONS:
                raise ValueError(f"arrangement {self.name!r}: window {title!r} is in {region!r}; one of {', '.join(REGIONS)} is expected")

    @property
    def dock_id(self) -> int:
        return zlib.crc32(f"dock space {self.name}".encode()) | 1

    def window_name(self, title: str) -> str:
        """What Dear ImGui calls this window in this arrangement; tests find it by "###<arrangement>.<title>"."""
        return f"{title}###{self.name}.{title}"


def dock_area(arrangement: Arrangement, others: Iterable[Arrangement] = (), *, reset: bool = False) -> bool:
    """Give the rest of the viewport to this arrangement; call after the bars and before its windows. True if it was (re)built.

    It is built when the layout file knows nothing of it, or when `reset` asks for the default. `others` keep what is docked in them.
    """
    viewport = imgui.get_main_viewport()
    for other in others:
        if other.name != arrangement.name and _exists(other):
            imgui.dock_space_over_viewport(other.dock_id, viewport, imgui.DockNodeFlags_.keep_alive_only.value)
    builds = reset or not _exists(arrangement)
    if builds:
        _build(arrangement, viewport.work_size)
        _settling[arrangement.dock_id] = [arrangement.window_name(title) for title in first_of_each(arrangement)] if reset else []
    elif behind := _settling.get(arrangement.dock_id):  # windows that have been shown already do not come to the front by themselves
        imgui.set_window_focus(behind.pop())  # one a frame: a tab is chosen where the focus is
    imgui.dock_space_over_viewport(arrangement.dock_id, viewport, imgui.DockNodeFlags_.none.value)
    return builds


def set_length(node_id: int, length: float) -> None:
    """How long a node beside the middle is from the next frame on: how wide, or how high if it lies above or below."""
    node = imgui.internal.dock_builder_get_node(node_id)
    if node is not None and node.parent_node is not None:
        axis = "x" if node.parent_node.split_axis == imgui.internal.Axis.x else "y"
        setattr(node.size_ref, axis, float(round(length)))


def _exists(arrangement: Arrangement) -> bool:
    return imgui.internal.dock_builder_get_node(arrangement.dock_id) is not None


def _build(arrangement: Arrangement, size: imgui.ImVec2) -> None:
    ii = imgui.internal
    root = arrangement.dock_id
    ii.dock_builder_remove_node(root)
    ii.dock_builder_add_node(root, ii.DockNodeFlagsPrivate_.dock_space.value)
    ii.dock_builder_set_node_size(root, size)
    nodes = _split(arrangement, root, size)
    for order, (title, region) in enumerate(arrangement.windows.items()):
        _place(arrangement.window_name(title), nodes[region], order)
    _hide_tabs(nodes["centre"])
    ii.dock_builder_finish(root)


def _place(window_name: str, node_id: int, order: int) -> None:
    """Dock a window; tabs stand in the order of placing, the first one in front."""
    ii = imgui.internal
    ii.dock_builder_dock_window(window_name, node_id)
    settings = ii.find_window_settings_by_id(ii.im_hash_str(window_name))
    if settings is not None:  # None where the window has been shown already: its tab keeps its place
        settings.dock_order = order


def _hide_tabs(node_id: int) -> None:
    """No tab over the picture; nothing else can be docked there (it would be out of reach without tabs)."""
    private, node = imgui.internal.DockNodeFlagsPrivate_, imgui.internal.dock_builder_get_node(node_id)
    node.set_local_flags(node.local_flags | private.no_tab_bar.value | private.no_docking_over_me.value)


def _split(arrangement: Arrangement, root: int, size: imgui.ImVec2) -> dict[str, int]:
    """Node ids of the regions that have windows. Sides first, so that the bottom strip lies between them."""
    em = imgui.get_font_size()
    used = set(arrangement.windows.values())
    nodes = {"centre": root}
    width, height = max(size.x, 1.0), max(size.y, 1.0)
    sides = {"left": arrangement.left_em, "right": arrangement.right_em}
    sides = {side: length_em for side, length_em in sides.items() if side in used or f"{side}.lower" in used}
    lengths = limited([em * length_em for length_em in sides.values()], (1 - CENTRE) * width)
    for (side, length_em), length in zip(sides.items(), lengths, strict=True):
        nodes[side], nodes["centre"] = _cut(nodes["centre"], imgui.Dir.left if side == "left" else imgui.Dir.right, length / width)
        _note_built(nodes[side], length, length_em)
        width -= length
    if "bottom" in used:
        length = min(arrangement.bottom_em * em, BOTTOM * height)
        nodes["bottom"], nodes["centre"] = _cut(nodes["centre"], imgui.Dir.down, length / height)
        _note_built(nodes["bottom"], length, arrangement.bottom_em)
    for side in ("left", "right"):
        lower = f"{side}.lower"
        if lower in used and side in used:
            part = arrangement.right_lower if side == "right" else None
            nodes[lower], nodes[side] = _cut(nodes[side], imgui.Dir.down, part or arrangement.lower)
        elif lower in used:
            nodes[lower] = nodes[side]
    return nodes


def _cut(node: int, direction: imgui.Dir, part: float) -> tuple[int, int]:
    """(the node cut off towards `direction`, the rest)."""
    _, towards, rest = imgui.internal.dock_builder_split_node_py(node, direction, part)
    return towards, rest


def _note_built(node: int, length: float, asked_em: float) -> None:
    set_length(node, length)  # cut by a part of the whole it may be a pixel shorter
    built[node] = (length, asked_em)


@contextmanager
def docked_window(arrangement: Arrangement, title: str) -> Iterator[bool]:
    """A window of the arrangement; yields whether its contents are visible (another tab may be in front of it)."""
    visible, _ = imgui.begin(arrangement.window_name(title), None, _KEYS_ARE_OURS)
    if visible:
        _list_tabs_that_do_not_fit()
    try:
        yield visible
    finally:
        imgui.end()


def first_of_each(arrangement: Arrangement) -> tuple[str, ...]:
    """The first window of each region: the one in front, as long as nobody has chosen another."""
    firsts = {region: title for title, region in reversed(tuple(arrangement.windows.items()))}
    return tuple(firsts.values())


def bring_to_front(arrangement: Arrangement, title: str) -> None:
    """Choose this window's tab, and scroll the row of tabs to it: the focus alone leaves it hidden where they do not fit."""
    name = arrangement.window_name(title)
    imgui.set_window_focus(name)
    window = imgui.internal.find_window_by_name(name)
    if window is not None and window.dock_node is not None and window.dock_node.tab_bar is not None:
        window.dock_node.tab_bar.next_scroll_to_tab_id = window.tab_id


def in_front(arrangement: Arrangement, title: str) -> bool:
    """Whether this window's contents were drawn last: it is docked, and no other tab stands before it."""
    window = imgui.internal.find_window_by_name(arrangement.window_name(title))
    node = window.dock_node if window is not None else None
    return node is not None and node.selected_tab_id == window.tab_id


def _list_tabs_that_do_not_fit() -> None:
    """A button with a list of the tabs beside the current window's, while their row is too narrow for them."""
    node = imgui.internal.get_current_window().dock_node
    if node is None or node.tab_bar is None:
        return
    hidden = imgui.internal.DockNodeFlagsPrivate_.no_window_menu_button.value
    style = imgui.get_style()
    fits = node.tab_bar.width_all_tabs_ideal <= node.size.x - 2 * (style.frame_padding.x + style.window_border_size)
    flags = node.local_flags | hidden if fits else node.local_flags & ~hidden
    if flags != node.local_flags:
        node.set_local_flags(flags)


@contextmanager
def picture_window(arrangement: Arrangement, title: str) -> Iterator[bool]:
    """A docked window without padding or scrolling, on the neutral ground of pictures: for canvases."""
    imgui.push_style_var(imgui.StyleVar_.window_padding, imgui.ImVec2(0, 0))
    imgui.push_style_color(imgui.Col_.window_bg, imgui.ImVec4(*BACKGROUND, 1.0))
    flags = imgui.WindowFlags_.no_scrollbar.value | imgui.WindowFlags_.no_scroll_with_mouse.value | imgui.WindowFlags_.no_collapse.value
    visible, _ = imgui.begin(arrangement.window_name(title), None, flags | _KEYS_ARE_OURS)
    imgui.pop_style_color()
    imgui.pop_style_var()
    try:
        yield visible
    finally:
        imgui.end()


@contextmanager
def top_bar() -> Iterator[bool]:
    """A menu bar over the whole width; menus, texts and buttons go into one row."""
    with _bar("##top bar", imgui.Dir.up) as shown:
        yield shown


@contextmanager
def status_line() -> Iterator[bool]:
    """One line at the bottom."""
    with _bar("##status line", imgui.Dir.down) as shown:
        yield shown


@contextmanager
def _bar(name: str, direction: imgui.Dir) -> Iterator[bool]:
    flags = imgui.WindowFlags_.no_scrollbar.value | imgui.WindowFlags_.no_saved_settings.value | imgui.WindowFlags_.menu_bar.value
    shown = imgui.internal.begin_viewport_side_bar(name, imgui.get_main_viewport(), direction, imgui.get_frame_height(), flags)
    row = shown and imgui.begin_menu_bar()
    try:
        yield row
    finally:
        if row:
            imgui.end_menu_bar()
        imgui.end()

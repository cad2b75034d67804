"""Finds controls on screen for `tests.drive`: by path, by label in any window, or by the hash of their id; and names of keys."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from gui_utils.libraries import imgui

engine_api = imgui.test_engine


@dataclass(frozen=True)
class Item:
    """What the test engine knows of a control: rectangle in screen coordinates, and whether it can act."""

    left: float
    top: float
    right: float
    bottom: float
    disabled: bool
    window: str

    @property
    def center(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


@cache  # Python's attribute cache would keep the names that are made up here
def chord(keys: str) -> int:
    """Key code of "ctrl+shift+z"."""
    code = 0
    for name in keys.lower().split("+"):
        modifier = getattr(imgui.Key, f"mod_{name}", None)
        named = {"esc": "escape", "left": "left_arrow", "right": "right_arrow", "up": "up_arrow", "down": "down_arrow", "plus": "equal",
                 "?": "slash",
                 ",": "comma", ".": "period", "[": "left_bracket", "]": "right_bracket", "-": "minus", "=": "equal"}  # fmt: skip
        name = named.get(name, name)
        key = modifier or getattr(imgui.Key, f"_{name}" if name.isdigit() else name, None)
        if key is None:
            raise ValueError(f"no key is called {name!r}")
        code |= int(key)
    return code


def find(context: Any, label: str) -> Any:
    """A reference for the test engine, or None: by path, by label in any window, or (combos tell the engine no label) by hash."""
    quiet = engine_api.TestOpFlags_.no_error.value
    if label.startswith("//"):
        return label if context.item_info(label, quiet).id_ != 0 else None
    for path in (f"//**/###{label}", f"//**/{label}"):
        if context.item_info(path, quiet).id_ != 0:
            return path
    scopes, ids = _ids(context)
    named = ids & {imgui.internal.im_hash_str(f"###{label}", 0, scope) for scope in scopes}
    return engine_api.TestRef(named.pop()) if named else None


def _ids(context: Any) -> tuple[set[int], set[int]]:
    """Every id under which some item lives, and the items' own ids. To ask for each id one by one would cost a frame each."""
    scopes: set[int] = set()
    ids: set[int] = set()
    for window in imgui.get_current_context().windows:
        if window.active and window.parent_window is None:
            items = engine_api.TestItemList()
            context.gather_items(items, engine_api.TestRef(window.id_), -1)
            found = [items.get_by_index(i) for i in range(items.get_size())]
            scopes |= {item.parent_id for item in found} | {window.id_}
            ids |= {item.id_ for item in found}
    return scopes, ids

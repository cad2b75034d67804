"""Monitors: which there are, which one is meant, which one a window is on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gui_utils.libraries import glfw

Place = tuple[int, int, int, int]  # x, y, width, height in screen coordinates


@dataclass(frozen=True)
class Monitor:
    """`handle` is GLFW's; `place` is what its picture covers, `millimetres` what it says of its size (0: nothing)."""

    handle: Any
    name: str
    place: Place
    refresh_hz: int
    millimetres: tuple[int, int] = (0, 0)


def monitors() -> tuple[Monitor, ...]:
    """All of them, the primary one first; none where there is no screen."""
    found = []
    for handle in glfw.get_monitors():
        mode, name = glfw.get_video_mode(handle), glfw.get_monitor_name(handle)
        place = (*glfw.get_monitor_pos(handle), mode.size.width, mode.size.height)
        size = glfw.get_monitor_physical_size(handle)
        text = name.decode(errors="replace") if isinstance(name, bytes) else str(name)
        found.append(Monitor(handle, text, place, mode.refresh_rate, (size[0], size[1])))
    return tuple(found)


def named(text: str) -> Monitor | None:
    """By its number, from 1, or by a part of its name; None where there is no such."""
    every = monitors()
    if text.isdecimal() and 1 <= int(text) <= len(every):
        return every[int(text) - 1]
    return next((monitor for monitor in every if text.casefold() in monitor.name.casefold()), None)


def under(place: Place) -> Monitor | None:
    """The one that most of a window lies on; the primary one where it lies on none."""
    return max(monitors(), key=lambda monitor: _common(monitor.place, place), default=None)


def within(place: Place) -> Place:
    """The place, or one on the primary monitor where it lies on none: what it lay on has gone."""
    every = monitors()
    if not every or any(_common(monitor.place, place) for monitor in every):
        return place
    x, y, width, height = every[0].place
    size = min(place[2], width), min(place[3], height)
    return x + (width - size[0]) // 2, y + (height - size[1]) // 2, *size


def listed() -> str:
    """ "1 Name (1920 x 1080), 2 ..." """
    return ", ".join(f"{i} {m.name} ({m.place[2]} x {m.place[3]})" for i, m in enumerate(monitors(), start=1)) or "none"


def _common(a: Place, b: Place) -> int:
    """The area that both cover."""
    width, height = (min(a[i] + a[i + 2], b[i] + b[i + 2]) - max(a[i], b[i]) for i in range(2))
    return max(0, width) * max(0, height)

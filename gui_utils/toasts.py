"""Messages that appear in a corner and can be copied, the log that keeps them, and progress that can be cancelled."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from gui_utils import theme
from gui_utils.libraries import icons, imgui
from gui_utils.scopes import child_scope, color_scope, style_scope

LEVELS = ("info", "warning", "error")
SHOWN_S = {"info": 5.0, "warning": 10.0, "error": float("inf")}  # errors stay until they are closed
MOST_TOASTS = 4
_ICON = {"info": icons.ICON_FA_CIRCLE_INFO, "warning": icons.ICON_FA_TRIANGLE_EXCLAMATION, "error": icons.ICON_FA_CIRCLE_XMARK}
_COLOR = {"info": theme.ACCENT, "warning": theme.WARNING, "error": theme.ERROR}


@dataclass(frozen=True)
class LogEntry:
    """`details`: what the log and the copy have beyond the text, e.g. a traceback.   count: how often it came in a row."""

    level: str
    text: str
    details: str = ""
    count: int = 1

    def full_text(self) -> str:
        return f"{self.text}\n\n{self.details}" if self.details else self.text


@dataclass
class Log:
    """The newest messages, oldest first. A message that repeats is counted, not kept twice."""

    entries: deque[LogEntry] = field(default_factory=lambda: deque(maxlen=1000))

    def add(self, level: str, text: str, details: str = "") -> LogEntry:
        if level not in LEVELS:
            raise ValueError(f"level is {level!r}; one of {', '.join(LEVELS)} is expected")
        entry = LogEntry(level, text, details)
        if self.entries and replace(self.entries[-1], count=1) == entry:
            entry = replace(entry, count=self.entries.pop().count + 1)
        self.entries.append(entry)
        return entry

    def text(self) -> str:
        """All of it, for the clipboard."""
        return "\n".join(f"[{e.level}] {e.full_text()}" + (f" (×{e.count})" if e.count > 1 else "") for e in self.entries)


@dataclass
class _Toast:
    entry: LogEntry
    left_s: float
    name: str = ""


class Toasts:
    """`add` from the GUI thread; `draw(dt)` once a frame, last. What is added also goes into `log`."""

    def __init__(self, log: Log | None = None) -> None:
        self.log = log if log is not None else Log()
        self._toasts: list[_Toast] = []
        self._told: set[str] = set()  # names of what need not be told again

    @property
    def texts(self) -> tuple[str, ...]:
        """What is on screen, oldest first."""
        return tuple(t.entry.text for t in self._toasts)

    def add(self, level: str, text: str, details: str = "", *, name: str = "") -> None:
        """`name`: by which it can be closed."""
        entry = self.log.add(level, text, details)
        self._toasts = [t for t in self._toasts if (t.entry.level, t.entry.text) != (level, text)]
        self._toasts.append(_Toast(entry, SHOWN_S[level], name))
        del self._toasts[:-MOST_TOASTS]

    def add_once(self, level: str, text: str, *, name: str) -> None:
        """Nothing where something of this name has been told already."""
        if name not in self._told:
            self._told.add(name)
            self.add(level, text, name=name)

    def clear(self) -> None:
        self._toasts.clear()

    def close(self, name: str) -> None:
        """What the one of this name says is no longer so."""
        self._toasts = [t for t in self._toasts if t.name != name]

    def close_newest(self) -> bool:
        """For Esc: close the newest toast; False if there is none."""
        return bool(self._toasts and self._toasts.pop())

    def draw(self, dt_s: float) -> None:
        """Draw at the lower right and age by `dt_s`; the clock stops while the mouse is over a toast."""
        viewport = imgui.get_main_viewport()
        em = imgui.get_font_size()
        bottom = viewport.work_pos.y + viewport.work_size.y - em
        kept = []
        for i, toast in reversed(list(enumerate(self._toasts))):
            imgui.set_next_window_pos((viewport.work_pos.x + viewport.work_size.x - em, bottom), imgui.Cond_.always, (1, 1))
            closed, hovered, height = _draw_toast(toast, f"##toast {i}")
            bottom -= height + em / 2
            toast.left_s -= 0 if hovered else dt_s
            if not closed and toast.left_s > 0:
                kept.append(toast)
        self._toasts = kept[::-1]

    @property
    def animating(self) -> bool:
        """Whether a toast is going to vanish by itself (the window must then draw now and then, for them to grow old)."""
        return any(t.left_s < float("inf") for t in self._toasts)


def _draw_toast(toast: _Toast, name: str) -> tuple[bool, bool, float]:
    """(closed, hovered, height)."""
    f = imgui.WindowFlags_
    flags = f.no_decoration | f.no_docking | f.no_saved_settings | f.no_focus_on_appearing | f.no_nav | f.no_move | f.always_auto_resize
    em, entry, closed = imgui.get_font_size(), toast.entry, False
    with color_scope(window_bg=(0.17, 0.17, 0.17, 0.97), border=(*_COLOR[entry.level], 0.7)), style_scope(window_rounding=0.3 * em):
        imgui.begin(name, None, flags)
    try:
        with color_scope(text=_COLOR[entry.level]):
            imgui.text_unformatted(_ICON[entry.level])
        imgui.same_line()
        imgui.push_text_wrap_pos(imgui.get_cursor_pos_x() + 26 * em)
        imgui.text_unformatted(_with_count(entry))
        imgui.pop_text_wrap_pos()
        if imgui.small_button(f"{icons.ICON_FA_COPY} Copy###toast.copy"):
            imgui.set_clipboard_text(entry.full_text())
        imgui.same_line()
        closed = imgui.small_button("Close###toast.close")
        return closed, imgui.is_window_hovered(), imgui.get_window_size().y
    finally:
        imgui.end()


def _with_count(entry: LogEntry) -> str:
    return f"{entry.text} (×{entry.count})" if entry.count > 1 else entry.text


def log_view(log: Log) -> None:
    """The log as a scrolling list, newest at the bottom, with a button that copies all of it."""
    if imgui.small_button(f"{icons.ICON_FA_COPY} Copy all###log.copy"):
        imgui.set_clipboard_text(log.text())
    imgui.same_line()
    if imgui.small_button("Clear###log.clear"):
        log.entries.clear()
    with child_scope("##log lines") as visible:
        if not visible:
            return
        if not log.entries:
            imgui.text_disabled("No messages yet.")
        for entry in log.entries:
            with color_scope(text=_COLOR[entry.level]):
                imgui.text_unformatted(_ICON[entry.level])
            imgui.same_line()
            imgui.text_wrapped(_with_count(entry))
            if entry.details and imgui.is_item_hovered():
                imgui.set_tooltip(entry.details)
        if imgui.get_scroll_y() >= imgui.get_scroll_max_y():
            imgui.set_scroll_here_y(1.0)


def progress_bar(text: str, fraction: float | None, *, can_cancel: bool, name: str = "progress") -> bool:
    """A bar with its text, moving by itself while `fraction` is None. True when Cancel (id "<name>.cancel") was clicked."""
    em = imgui.get_font_size()
    button_width = 5 * em if can_cancel else 0
    width = imgui.get_content_region_avail().x
    shown = -1.0 * imgui.get_time() if fraction is None else min(max(fraction, 0.0), 1.0)
    imgui.progress_bar(shown, (max(em, width - button_width - (imgui.get_style().item_spacing.x if can_cancel else 0)), 0), text)
    if not can_cancel:
        return False
    imgui.same_line()
    return imgui.button(f"Cancel###{name}.cancel", (button_width, 0))

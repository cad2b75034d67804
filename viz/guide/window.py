"""The user guide in a window of its own: pages to the left, the page to the right. Opened from the Help menu."""

from __future__ import annotations

from gui_utils import theme
from gui_utils.libraries import imgui
from gui_utils.scopes import child_scope, color_scope, font_scope, table_scope
from viz.guide.text import PAGES, Block, blocks, title

SIZE_EM = (62.0, 42.0)
PAGES_EM = 12.0
CODE = (0.72, 0.86, 1.0)
SCALES = {"h1": 1.6, "h2": 1.25, "h3": 1.08}


class GuideWindow:
    """Shown or not, and at which page."""

    def __init__(self) -> None:
        self.shown, self.page = False, PAGES[0]

    def toggle(self) -> None:
        self.shown = not self.shown

    def draw(self) -> None:
        if not self.shown:
            return
        em, viewport = imgui.get_font_size(), imgui.get_main_viewport()
        size = min(SIZE_EM[0] * em, 0.94 * viewport.size.x), min(SIZE_EM[1] * em, 0.9 * viewport.size.y)
        imgui.set_next_window_pos(viewport.get_center(), imgui.Cond_.appearing.value, (0.5, 0.5))
        imgui.set_next_window_size(size, imgui.Cond_.appearing.value)
        flags = imgui.WindowFlags_.no_docking.value | imgui.WindowFlags_.no_saved_settings.value
        visible, stays = imgui.begin("User guide", True, flags)
        try:
            if visible:
                self._contents()
        finally:
            imgui.end()
        self.shown = bool(stays) and not imgui.is_key_pressed(imgui.Key.escape, False)

    def _contents(self) -> None:
        with child_scope("pages", (PAGES_EM, 0)):
            for page in PAGES:
                if imgui.selectable(f"{title(page)}###Guide.{page}", page == self.page)[0]:
                    self.page = page
        imgui.same_line()
        with child_scope(f"page {self.page}") as visible:
            if visible:
                imgui.push_text_wrap_pos(0.0)
                try:
                    for i, block in enumerate(blocks(self.page)):
                        _draw(block, i)
                finally:
                    imgui.pop_text_wrap_pos()


def _draw(block: Block, index: int) -> None:
    if block.kind in SCALES:
        imgui.spacing()
        with font_scope(SCALES[block.kind]):
            imgui.text_unformatted(block.text)
        imgui.spacing()
    elif block.kind == "table":
        _table(block, index)
    elif block.kind == "code":
        with color_scope(text=CODE):
            imgui.text_unformatted(block.text)
        imgui.spacing()
    elif block.kind == "item":
        imgui.bullet()
        imgui.text_unformatted(block.text)
    else:
        imgui.text_unformatted(block.text)
        imgui.spacing()


def _table(block: Block, index: int) -> None:
    flags = imgui.TableFlags_.row_bg.value | imgui.TableFlags_.borders_inner_h.value
    widths = [max(len(row[i]) if i < len(row) else 0 for row in block.rows) for i in range(len(block.rows[0]))]
    with table_scope(f"table {index}", len(widths), flags) as visible:
        if not visible:
            return
        for i, width in enumerate(widths):
            imgui.table_setup_column(f"##{i}", imgui.TableColumnFlags_.width_stretch.value, max(4.0, min(width, 60)))
        for row_index, row in enumerate(block.rows):
            imgui.table_next_row()
            for cell in row:
                imgui.table_next_column()
                with color_scope(text=theme.ACCENT if row_index == 0 else (0.9, 0.9, 0.9)):
                    imgui.text_wrapped(cell)
    imgui.spacing()

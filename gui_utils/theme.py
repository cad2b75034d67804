"""How the interface looks: neutral dark greys without tint (they surround pictures that are judged by eye), one accent, one font.

Sizes are given at scale 1 and multiplied by the scale of the display times the user's; text is drawn anew at each size, so it stays sharp.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gui_utils.libraries import imgui, implot

FONT_SIZE = 16.0  # px at scale 1
ACCENT = (0.36, 0.66, 1.00)
WARNING = (1.00, 0.76, 0.28)
ERROR = (1.00, 0.42, 0.36)
SERIES = (  # of lines in plots: the colours of Okabe and Ito, told apart by all eyes
    (0.34, 0.71, 0.91), (0.90, 0.62, 0.00), (0.00, 0.62, 0.45), (0.80, 0.47, 0.65), (0.94, 0.89, 0.26), (0.84, 0.37, 0.00),
    (0.73, 0.73, 0.73),
)  # fmt: skip

# Each glyph comes from the first font that has it: text, then arrows and subscript digits, then mathematics, then icons.
FONTS = ("Roboto/Roboto-Regular.ttf", "latex/latinmodern-math.otf", "Inconsolata-Medium.ttf", "Font_Awesome_6_Free-Solid-900.otf")


def packed(color: Sequence[float], alpha: float = 1.0) -> int:
    """A colour (red, green, blue from 0 to 1) as draw lists take it."""
    red, green, blue = color
    return imgui.get_color_u32(imgui.ImVec4(red, green, blue, alpha))


def px(width: float) -> float:
    """The width of a line, given at scale 1, at the scale of the text."""
    return width * imgui.get_font_size() / FONT_SIZE


def shadowed_text(lines: imgui.ImDrawList, at: tuple[float, float], text: str) -> None:
    """White with a shadow: legible on any picture."""
    lines.add_text((at[0] + 1, at[1] + 1), packed((0, 0, 0), 0.8), text)
    lines.add_text(at, packed((1, 1, 1), 0.9), text)


def load_fonts() -> None:
    """Load the fonts that come with imgui-bundle as one merged font; Dear ImGui's own where they are missing.

    A second one without icons is for numbers, see `number_scope`.
    """
    fonts = imgui.get_io().fonts
    paths = [path for name in FONTS if (path := _asset_folder() / name).is_file()]
    if not paths or paths[0].name != Path(FONTS[0]).name:
        fonts.add_font_default_vector()
        fonts.add_font_default_vector()
    else:
        _merged(paths)
        _merged([path for path in paths if "Awesome" not in path.name])
    fonts.fonts[1].add_remap_codepoint(ord("-"), ord("−"))


def _merged(paths: Sequence[Path]) -> None:
    fonts = imgui.get_io().fonts
    for i, path in enumerate(paths):
        config = imgui.ImFontConfig()
        config.merge_mode = i > 0
        if path.suffix == ".otf" and "Awesome" in path.name:
            config.extra_size_scale = 0.82  # icons fill their box; letters do not
        fonts.add_font_from_file_ttf(str(path), FONT_SIZE, config)


@contextmanager
def number_scope() -> Iterator[None]:
    """Numbers that Dear ImGui and ImPlot write themselves, in fields and at axes, have a real minus here: each hyphen is drawn as one."""
    imgui.push_font(imgui.get_io().fonts.fonts[1], 0.0)
    try:
        yield
    finally:
        imgui.pop_font()


def _asset_folder() -> Path:
    spec = importlib.util.find_spec("imgui_bundle")
    return Path(spec.origin or "").parent / "assets" / "fonts" if spec else Path()


def apply(display_scale: float, font_scale: float = 1.0) -> None:
    """Set colours and sizes. Always starts from a fresh style, so that repeated scaling does not add up rounding."""
    style, live = imgui.Style(), imgui.get_style()
    _sizes(style)
    style.scale_all_sizes(display_scale * font_scale)
    for name in dir(style):
        if not name.startswith("_") and name not in ("color_", "set_color_", "scale_all_sizes"):
            setattr(live, name, getattr(style, name))
    for color, value in _colors().items():
        live.set_color_(color, imgui.ImVec4(*value))
    live.font_size_base, live.font_scale_dpi, live.font_scale_main = FONT_SIZE, display_scale, font_scale
    _plot_style(display_scale * font_scale)


def _sizes(style: imgui.Style) -> None:
    for name in (
        "window_rounding",
        "child_rounding",
        "frame_rounding",
        "popup_rounding",
        "grab_rounding",
        "tab_rounding",
        "scrollbar_rounding",
    ):
        setattr(style, name, 3.0)
    for name, x, y in (
        ("window_padding", 8, 7), ("frame_padding", 7, 4), ("item_spacing", 7, 5), ("item_inner_spacing", 6, 4), ("cell_padding", 5, 3),
        ("window_title_align", 0, 0.5),
    ):  # fmt: skip
        setattr(style, name, imgui.ImVec2(x, y))
    style.scrollbar_size, style.indent_spacing, style.grab_min_size = 11.0, 14.0, 10.0
    style.window_border_size = style.child_border_size = style.popup_border_size = 1.0
    style.frame_border_size, style.tab_border_size, style.tab_bar_overline_size = 0.0, 0.0, 2.0
    style.docking_separator_size, style.separator_text_border_size = 2.0, 1.0
    style.window_menu_button_position = imgui.Dir.right  # where tabs do not fit: see layout
    style.disabled_alpha = 0.42
    style.hover_delay_short, style.hover_delay_normal, style.hover_stationary_delay = 0.15, 0.45, 0.12


def _colors() -> dict[int, tuple[float, float, float, float]]:
    def gray(v: float, a: float = 1.0) -> tuple[float, float, float, float]:
        return (v, v, v, a)

    def accent(a: float) -> tuple[float, float, float, float]:
        return (*ACCENT, a)

    c = imgui.Col_
    named = {
        c.text: gray(0.91), c.text_disabled: gray(0.55), c.text_selected_bg: accent(0.35), c.text_link: accent(1),
        c.window_bg: gray(0.135), c.child_bg: gray(0, 0), c.popup_bg: gray(0.16, 0.98), c.border: gray(0.26), c.border_shadow: gray(0, 0),
        c.frame_bg: gray(0.205), c.frame_bg_hovered: gray(0.255), c.frame_bg_active: gray(0.29),
        c.title_bg: gray(0.10), c.title_bg_active: gray(0.10), c.title_bg_collapsed: gray(0.10), c.menu_bar_bg: gray(0.10),
        c.scrollbar_bg: gray(0, 0), c.scrollbar_grab: gray(0.30), c.scrollbar_grab_hovered: gray(0.38), c.scrollbar_grab_active: gray(0.46),
        c.check_mark: accent(1), c.slider_grab: accent(0.36), c.slider_grab_active: accent(0.45),  # values are written over it
        c.button: gray(0.245), c.button_hovered: gray(0.31), c.button_active: gray(0.37),
        c.header: gray(0.215), c.header_hovered: gray(0.27), c.header_active: gray(0.31),
        c.separator: gray(0.24), c.separator_hovered: accent(0.6), c.separator_active: accent(0.9),
        c.resize_grip: gray(0, 0), c.resize_grip_hovered: accent(0.5), c.resize_grip_active: accent(0.9),
        c.tab: gray(0.10), c.tab_hovered: gray(0.22), c.tab_selected: gray(0.135), c.tab_selected_overline: accent(0.9),
        c.tab_dimmed: gray(0.10), c.tab_dimmed_selected: gray(0.135), c.tab_dimmed_selected_overline: gray(0.35),
        c.docking_preview: accent(0.4), c.docking_empty_bg: gray(0.11),
        c.plot_lines: accent(1), c.plot_lines_hovered: accent(1), c.plot_histogram: accent(1), c.plot_histogram_hovered: accent(1),
        c.table_header_bg: gray(0.18), c.table_border_strong: gray(0.26), c.table_border_light: gray(0.20),
        c.table_row_bg: gray(0, 0), c.table_row_bg_alt: gray(1, 0.025), c.drag_drop_target: accent(0.9), c.nav_cursor: accent(0.8),
        c.modal_window_dim_bg: gray(0, 0.5),
    }  # fmt: skip
    return {int(key): value for key, value in named.items()}


def _plot_style(scale: float) -> None:
    style = implot.get_style()
    for name, x, y in (("plot_padding", 8, 8), ("label_padding", 5, 4), ("legend_padding", 8, 8), ("legend_inner_padding", 5, 4)):
        setattr(style, name, imgui.ImVec2(x * scale, y * scale))
    style.plot_border_size = 1.0 * scale
    index = implot.get_colormap_index("series")
    style.colormap = index if index >= 0 else implot.add_colormap("series", np.array([(*color, 1.0) for color in SERIES], np.float32))
    c = implot.Col_
    for color, value in (
        (c.frame_bg, (0, 0, 0, 0)), (c.plot_bg, (0.095, 0.095, 0.095, 1)), (c.plot_border, (0.26, 0.26, 0.26, 1)),
        (c.axis_grid, (1, 1, 1, 0.14)), (c.legend_bg, (0.13, 0.13, 0.13, 0.85)),
    ):  # fmt: skip
        style.set_color_(color.value, imgui.ImVec4(*value))

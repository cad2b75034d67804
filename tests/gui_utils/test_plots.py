"""Plots draw without complaint, and read values at the cursor."""

import numpy as np
import pytest

from gui_utils import plots
from gui_utils.libraries import imgui, implot
from gui_utils.plots import Axes, plot
from tests.drive import Driver


class Figure:
    def __init__(self, axes: Axes) -> None:
        self.axes, self.read, self.limits = axes, None, None

    def draw(self) -> None:
        imgui.set_next_window_pos((0, 0))
        imgui.set_next_window_size((600, 400))
        imgui.begin("Figure")
        with plot("##figure", self.axes, (-1, -1)) as shown:
            if shown:
                x = np.linspace(0, 10, 50, dtype=np.float32)
                plots.line("rising", x, x.astype(np.float64) * 2)
                plots.line("broken", x, np.where(x > 5, np.nan, x), plots.series_color(1))
                plots.band("##band", x, x - 1, x + 1, plots.series_color(0))
                plots.bars("##bars", np.arange(5), np.ones(5), 0.5)
                plots.vertical_line(4.0, "f_c")
                plots.circle(2.0, "s/2")
                self.read = plots.cursor_text(lambda x, y: f"{x:.1f}, {y:.1f}")
                limits = implot.get_plot_limits()
                self.limits = (limits.x.min, limits.x.max, limits.y.min, limits.y.max)
                self.center = implot.plot_to_pixels(5.0, 10.0)
        imgui.end()


def test_the_cursor_reads_the_values_under_the_mouse():
    figure = Figure(Axes("time (s)", "value (dB)", x=(0, 10), y=(0, 20)))
    with Driver(figure.draw) as ui:
        ui.frames(3)
        assert figure.read is None
        ui.hover((figure.center.x, figure.center.y))
        assert figure.read == pytest.approx((5, 10), abs=0.05)
        assert figure.limits == pytest.approx((0, 10, 0, 20))


def test_ranges_hold_at_first_or_always():
    for follow in (False, True):
        figure = Figure(Axes("x", "y", x=(0, 10), y=(0, 20), follow=follow))
        with Driver(figure.draw) as ui:
            ui.frames(3)
            ui.wheel((figure.center.x, figure.center.y), 2)
            ui.frames(2)
        assert (figure.limits == pytest.approx((0, 10, 0, 20))) == follow


def test_equal_axes_make_circles_round():
    figure = Figure(Axes("x", "y", x=(-5, 5), y=(-5, 5), equal=True, legend=""))
    with Driver(figure.draw) as ui:
        ui.frames(3)
        box = figure.limits
    assert (box[1] - box[0]) / 600 == pytest.approx((box[3] - box[2]) / 400, rel=0.25)


@pytest.mark.parametrize(("window", "plot_em"), [(500, None), (120, 7.0)])
def test_a_plot_takes_what_is_left_but_never_too_little(window, plot_em):
    """Without a scroll bar where it has room; behind one where it has not."""
    seen = []

    def draw():
        imgui.set_next_window_pos((0, 0))
        imgui.set_next_window_size((300, window))
        imgui.begin("Filling")
        room, start = imgui.get_content_region_avail().y, imgui.get_cursor_pos_y()
        with plot("##filling", Axes("x", "y", legend=""), (-1, -7)):
            pass
        seen.append((room, imgui.get_cursor_pos_y() - start - imgui.get_style().item_spacing.y, imgui.get_scroll_max_y()))
        imgui.end()

    with Driver(draw) as ui:
        ui.frames(4)
    room, height, scrolls = seen[-1]
    assert height == pytest.approx(plot_em * 16 if plot_em else room - plots.BELOW_EM * 16, abs=1)
    assert bool(scrolls) == bool(plot_em)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="3 positions and 4 values"):
        plots.line("x", np.zeros(3), np.zeros(4))


@pytest.mark.parametrize(("width", "rows"), [(900, 1), (260, 6)])
def test_a_legend_that_would_be_cut_off_becomes_a_column(width, rows):
    """The plot grows by what the column takes, so that the lines keep their room."""
    heights = []

    def draw():
        imgui.set_next_window_pos((0, 0))
        imgui.set_next_window_size((width, 700))
        imgui.begin("Legend")
        start = imgui.get_cursor_pos_y()
        with plot("##legend", Axes("x", "y", legend="out"), (-1, 12)) as shown:
            if shown:
                for i in range(6):
                    plots.line(f"line number {i}", np.arange(3.0), np.arange(3.0) + i)
                inner = implot.get_plot_size().y
        heights.append((imgui.get_cursor_pos_y() - start, inner))
        imgui.end()

    with Driver(draw) as ui:
        ui.frames(4)
        em = 16
        whole, inner = heights[-1]
        assert whole == pytest.approx((12 + (rows - 1) * plots.LEGEND_ROW_EM) * em, abs=2 * em)
        assert inner > 6 * em


def test_labels_of_lines_that_are_close_stand_in_rows_of_their_own(monkeypatch):
    rows: dict[str, int] = {}
    write = plots._label_at
    monkeypatch.setattr(plots, "_label_at", lambda label, *at, below: rows.update({label: below}) or write(label, *at, below=below))

    def draw() -> None:
        with plots.plot("##close", Axes("x", "y", x=(0, 45), y=(0, 1), legend=""), (30, 10)) as shown:
            if shown:
                plots.vertical_lines(((34.0, "f_t", plots.WHITE), (32.0, "f_c = s/2", plots.WHITE), (10.0, "f_c", plots.WHITE)))

    with Driver(draw) as ui:
        ui.frames(3)
    assert rows == {"f_c": 1, "f_c = s/2": 1, "f_t": 2}

"""The histogram: every sample inside the image in its bin, nothing while it is off, and black and white that can be moved."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gui_utils import plots
from gui_utils.libraries import implot
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from tests.viz.test_pipeline import TINY_R, Asking
from viz.panels import Panel, histogram as panel
from viz.request import HistogramResult
from viz.stages.histogram import BINS, counted, round_up
from viz.state import Channels, Histogram, Pose, Tap, Tone, Unwarp

LAYER = TINY_R.put(Tap("L1_36_16")).put(Channels(triple=(7, 0, 3)))


@pytest.fixture(scope="module")
def asking():
    return Asking(TINY_R)


def test_known_values_are_in_known_bins():
    found = counted(torch.tensor([[-0.9, -0.9, 0.1, 0.9], [0.0, float("nan"), float("inf"), 0.5]]))
    assert (found.low, found.high, found.non_finite) == (-1.0, 1.0, 2)
    assert found.counts.shape == (2, BINS) and found.counts.sum(axis=1).tolist() == [4, 2]
    assert np.flatnonzero(found.counts[0]).tolist() == [int(0.05 * BINS), int(0.55 * BINS), int(0.95 * BINS)]
    assert found.share_below(0.0).tolist() == [0.5, 0.0] and found.share_below(-2.0).tolist() == [0.0, 0.0]
    assert found.share_below(0.5).tolist() == pytest.approx([0.75, 0.5], abs=1e-3) and found.share_below(2.0).tolist() == [1.0, 1.0]
    flat = counted(torch.zeros(1, 9))
    assert flat.low < flat.high and flat.counts.sum() == 9
    assert [round_up(v) for v in (-1.0, 0.0, 0.011, 1.0, 1.001, 73.0)] == pytest.approx([0, 0, 0.0125, 1, 1.25, 80])


def test_a_bin_counts_beyond_what_float32_holds():
    assert counted(torch.zeros(1, 1).expand(1, (1 << 24) + 3)).counts.sum() == (1 << 24) + 3


def test_off_it_is_not_computed(asking):
    assert asking.ask(LAYER).histogram is None
    on = asking.ask(LAYER.put(Histogram(True)))
    assert on.histogram is not None and "histogram" in on.ran and "synthesis" not in on.ran
    off = asking.ask(LAYER.edit(Pose, x=0.1))
    assert off.histogram is None and "histogram" not in off.ran


def test_it_counts_the_samples_inside_the_image_as_they_are_drawn(asking):
    view = LAYER.put(Histogram(True))
    frame = asking.ask(view)
    x0, y0, x1, y1 = (round(v) for v in frame.picture.frame_rect)
    inner = frame.picture.values[y0:y1, x0:x1]
    assert frame.histogram.counts.sum(axis=1).tolist() == [inner[:, :, 0].size] * 3
    expected = [np.histogram(inner[:, :, c], 64, (frame.histogram.low, frame.histogram.high))[0] for c in range(3)]
    coarse = frame.histogram.counts.reshape(3, 64, -1).sum(axis=2)
    assert np.abs(coarse - expected).sum() <= 4  # a value on an edge may fall on either side
    normalised = asking.ask(view.edit(Channels, normalize=True)).histogram
    assert max(-normalised.low, normalised.high) == 1.0
    undone = asking.ask(view.edit(Pose, x=0.3).put(Unwarp(True)))
    assert undone.histogram.counts[0].sum() == undone.picture.mask[y0:y1, x0:x1].sum() < inner[:, :, 0].size
    sheet = asking.ask(view.edit(Channels, mode="sheet"))
    assert len(sheet.histogram.counts) == 1 and sheet.histogram.counts.sum() == len(sheet.picture.channels) * inner[:, :, 0].size


@pytest.mark.parametrize("tone", [Tone(), Tone(gain_db=6.0, offset=0.25), Tone(signed=False), Tone(colormap="diverging", signed=False)])
def test_gain_and_offset_are_what_black_and_white_say(tone):
    black, white = panel.shown_range(tone, 1)
    again = replace(tone, **panel.with_range(tone, black, white, 1))
    assert (again.gain_db, again.offset) == pytest.approx((tone.gain_db, tone.offset), abs=1e-9)
    moved = replace(tone, **panel.with_range(tone, black - 0.5, white, 1))
    assert panel.shown_range(moved, 1) == pytest.approx((black - 0.5, white))


def test_black_is_dragged_and_white_stays(monkeypatch):
    facts, places, drag = alias_free_facts(), {}, plots.drag_line
    counts = np.ones((3, BINS))
    frame = replace(frame_of(facts), histogram=HistogramResult(counts, -1.0, 1.0))

    def noted(number, x, color):
        at = implot.plot_to_pixels(x, implot.get_plot_limits().y.max)
        places[number] = (at.x, at.y + implot.get_plot_size().y / 2)
        return drag(number, x, color)

    monkeypatch.setattr(plots, "drag_line", noted)
    shown = Panel("Histogram", "right", 0, lambda state, context: panel.draw(state, context))
    with show(shown, LAYER.put(Histogram(True)), network=facts, frame=frame) as shown:
        shown.ui.frames(3)
        unit = (places[1][0] - places[0][0]) / 2
        shown.ui.drag(places[0], (places[0][0] + 0.5 * unit, places[0][1]))
        black, white = panel.shown_range(shown.state.get(Tone), 3)
    assert black == pytest.approx(-0.5, abs=0.05) and white == pytest.approx(1.0)

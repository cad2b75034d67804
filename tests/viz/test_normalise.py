"""What Normalise divides by: each picture's own range, or one that is held while something moves."""

from dataclasses import replace

import numpy as np
import pytest

from tests.viz.test_pipeline import TINY_R, Asking
from viz.panels.channels import _in_motion, divided_text
from viz.state import Channels, Compare, HeldRange, Latent, Source, Tap
from viz.steady_range import SteadyRange

LAYERS = ("L1_36_16", "L2_36_16")


@pytest.fixture(scope="module")
def asking():
    return Asking(TINY_R)


def test_a_held_range_keeps_brightness_still(asking):
    """Another latent is divided by the numbers of the first one; another layer, and channels that are not held, by their own."""
    view = TINY_R.put(Tap(LAYERS[0])).put(Channels(triple=(7, 0, 3), normalize=True))
    first = asking.ask(view)
    largest = first.statistics_shown.largest
    assert largest == pytest.approx([np.abs(_inside(first, first.raw[i])).max() for i in (7, 0, 3)])
    held = view.put(HeldRange(first.picture.tap, first.picture.channels, largest))
    assert np.array_equal(asking.ask(held).picture.values, first.picture.values)
    moved = asking.ask(held.edit(Latent, x=0.5))
    for i, channel in enumerate((7, 0, 3)):
        np.testing.assert_allclose(moved.picture.values[:, :, i], moved.raw[channel] / largest[i], rtol=1e-6)
    assert moved.statistics_shown.largest != largest  # what it would be divided by is still known
    released = view.edit(Latent, x=0.5)
    for other in (released, held.put(Tap(LAYERS[1])), held.edit(Channels, triple=(7, 0, 4)), held.edit(Channels, mode="pca")):
        frame = asking.ask(other)
        assert np.abs(_inside(frame, frame.picture.values.transpose(2, 0, 1))).max() == pytest.approx(1.0)


def test_brightness_keeps_still_while_something_moves_and_is_each_pictures_own_at_rest(asking):
    steady, view = SteadyRange(), TINY_R.put(Tap(LAYERS[0])).put(Channels(triple=(7, 0, 3), normalize=True))
    first, moved, further = asking.ask(view), view.edit(Latent, x=0.5), view.edit(Latent, x=0.9)
    largest = first.statistics_shown.largest
    assert steady.of(view, first, moves=False) is view and steady.of(view, first, moves=True) is view  # nothing has moved yet
    for nothing in (None, replace(first, picture=None)):
        assert steady.of(moved, nothing, moves=True) is moved
    assert SteadyRange().of(moved, first, moves=True).get(HeldRange).largest == largest  # in motion from the beginning
    held = asking.ask(steady.of(moved, first, moves=True))
    assert held.request.view.get(HeldRange).largest == largest and _in_motion(held) == largest
    assert divided_text(moved, held).endswith(" in motion")
    np.testing.assert_allclose(held.picture.values[:, :, 0], held.raw[7] / largest[0], rtol=1e-6)
    assert steady.of(further, held, moves=True).get(HeldRange).largest == largest  # not that of a picture on the way
    plain = asking.ask(moved)  # one that was asked for before the range was held
    assert steady.of(further, plain, moves=True).get(HeldRange).largest == largest != plain.statistics_shown.largest
    other = asking.ask(further.put(Tap(LAYERS[1])))
    assert steady.of(other.request.view, other, moves=True).get(HeldRange).layer == LAYERS[1]
    assert steady.of(further, held, moves=False) is further
    assert steady.of(moved, held, moves=True).get(HeldRange).largest == largest  # what the picture on screen was divided by
    for left_alone in (further.edit(Channels, normalize=False), further.edit(Channels, mode="pca"), further.edit(Compare, on=True)):
        assert steady.of(left_alone, held, moves=True) is left_alone
    another = Source("another.pkl")
    of_another = replace(plain, request=replace(plain.request, view=moved.put(another)))
    for before, shown in ((held, ()), (of_another, plain.statistics_shown.largest)):
        assert steady.of(further, held, moves=True).get(HeldRange).largest == largest
        assert steady.of(further.put(another), held, moves=True).get(HeldRange) == HeldRange()
        assert steady.of(further.put(another), before, moves=True).get(HeldRange).largest == shown
    own = further.put(HeldRange(LAYERS[0], (0, 3, 7), (1.0, 2.0, 3.0)))
    assert steady.of(own, held, moves=True) is own


def _inside(frame, values):
    x0, y0, x1, y1 = (round(v) for v in frame.picture.frame_rect)
    return values[..., y0:y1, x0:x1]

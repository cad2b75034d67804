"""What Normalise divides by: each picture's own range, or one that is held while something moves."""

import numpy as np
import pytest

from tests.viz.test_pipeline import TINY_R, Asking
from viz.state import Channels, HeldRange, Latent, Tap

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


def _inside(frame, values):
    x0, y0, x1, y1 = (round(v) for v in frame.picture.frame_rect)
    return values[..., y0:y1, x0:x1]

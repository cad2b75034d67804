"""Stages by themselves: each is given its inputs by hand, and its answer is compared with what it is defined as."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from gui_utils.tone import ToneMap
from tests.viz.panels.shown import alias_free_facts, stylegan2_facts
from torch_utils.spectra import view_spectrum
from viz.stages import spectrum, unwarp
from viz.stages.tone import shader_tone
from viz.stages.unwarp import Unwarped
from viz.state import Pose, Spectrum, Tap, Tone, Unwarp, ViewState


def given(view: ViewState, facts: Any, **inputs: Any) -> Any:
    return SimpleNamespace(view=view, inputs={"load": SimpleNamespace(facts=facts), **inputs})


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


@pytest.mark.parametrize("all_channels", [True, False])
def test_the_spectrum_is_of_the_layer_or_of_what_is_on_screen_without_its_margin(all_channels):
    facts = alias_free_facts()
    tap = facts.taps[1]
    assert tap.size[0] > tap.sampling_rate
    layer, shown = noise(5, *tap.size), noise(2, *tap.size)
    view = ViewState().put(Tap(tap.name)).put(Spectrum(on=True, beta=3.0, all_channels=all_channels))
    found = spectrum.run(given(view, facts, synthesis=layer, unwarp=Unwarped(shown, None)))
    expected = view_spectrum(layer if all_channels else shown, 3.0, sampling_rate=tap.sampling_rate, crop_margin=True)
    assert np.array_equal(found.power, expected.power.numpy()) and np.array_equal(found.axis, expected.fx.numpy())
    assert found.mean_power == pytest.approx(float(expected.power.mean()), rel=1e-6)
    assert (found.tap, found.nyquist, found.all_channels) == (tap.name, tap.sampling_rate / 2, all_channels)
    assert (found.cutoff, found.stopband) == facts.band(tap.name) == (tap.spec.out_cutoff, tap.spec.out_stopband)


@pytest.mark.parametrize(
    ("facts", "on", "x"),
    [(alias_free_facts(), False, 0.25), (alias_free_facts(), True, 0.0), (stylegan2_facts(), True, 0.25)],
    ids=["off", "not moved", "no grid"],
)
def test_where_there_is_no_pose_to_undo_values_stay_what_they_are(facts, on, x):
    view = ViewState().edit(Unwarp, on=on).edit(Pose, x=x)
    values = noise(1, 16, 16)
    found = unwarp.run(given(view.put(Tap(facts.taps[-1].name)), facts, band=Unwarped(values, None)))
    assert found.values is values and found.mask is None
    assert unwarp.key(view, {"load": SimpleNamespace(facts=facts)}) == (() if x else (Pose().matrix(),))


def test_a_pose_is_undone_in_image_widths():
    """A quarter of an image width is four samples of a layer with 16, whatever its margin."""
    facts = alias_free_facts()
    tap = facts.taps[0]
    assert (tap.size, tap.sampling_rate) == ((36, 36), 16.0)
    view = ViewState().edit(Unwarp, on=True).edit(Pose, x=0.25).put(Tap(tap.name))
    values = torch.zeros(1, 36, 36)
    values[0, 20, 22] = 1
    found = unwarp.run(given(view, facts, band=Unwarped(values, None)))
    assert divmod(int(found.values.argmax()), 36) == (20, 18)
    assert found.mask is not None and found.mask.shape == (36, 36) and found.mask.dtype == torch.bool
    assert unwarp.key(view, {"load": SimpleNamespace(facts=facts)}) == (Pose(x=0.25).matrix(),)


def test_the_headless_tone_is_the_views_and_colours_have_no_colormap():
    tone = Tone(gain_db=6.0, offset=0.2, signed=True, colormap="magma")
    assert shader_tone(tone, 1) == ToneMap.from_db(6.0, offset=0.2, signed=True, colormap="magma")
    assert shader_tone(tone, 3) == ToneMap.from_db(6.0, offset=0.2, signed=True, colormap="gray")

"""The Fourier input's waves under a pose are those that the network computes, and the window on them lies where it says."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from networks.fourier_input import FourierInput
from networks.spec import InputSpec
from tests.viz import asked
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from torch_utils.resample import pose_matrix
from viz.analysis import fourier_view
from viz.analysis.fourier_view import fourier_of
from viz.request import OverlayResult, RenderRequest
from viz.state import FourierView, LearnedPose, Pose, ViewState

TINY_R = asked.TINY_R.edit(FourierView, on=True)
TINY_SG2 = asked.TINY_SG2.edit(FourierView, on=True)
CHANNELS, SIZE, RATE = 24, (36, 28), 16.0
STILL = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
LEARNED = torch.tensor([[0.8, -0.6, 0.2, -0.1]])
POSE = pose_matrix(0.4, 0.15, -0.05)


@pytest.fixture
def source() -> FourierInput:
    made = FourierInput(InputSpec(channels=CHANNELS, size=SIZE, sampling_rate=RATE, bandwidth=2.0), w_dim=8)
    made.draw_weights(torch.Generator().manual_seed(0))
    with torch.no_grad():
        made.weight.copy_(torch.eye(CHANNELS) * CHANNELS**0.5)  # every channel is its own wave
    return made.requires_grad_(False)


def waves(found, places):
    """The waves [C, P] at places [P, 2] of the picture."""
    return found.amplitudes[:, None] * np.sin(2 * np.pi * (found.freqs @ places.T + found.phases[:, None]))


def grid() -> np.ndarray:
    x, y = ((np.arange(n) + 0.5 - n / 2) / RATE for n in SIZE)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def test_the_waves_are_those_that_the_network_computes(source):
    found = fourier_of(source, LEARNED, POSE)
    computed = source(LEARNED, torch.from_numpy(np.linalg.inv(POSE)).float())[0].reshape(CHANNELS, -1).numpy()
    np.testing.assert_allclose(waves(found, grid()), computed, atol=2e-5)


def test_the_window_is_where_the_waves_without_pose_are_seen(source):
    """At any place of the picture, the posed wave is the unposed one at the place that the matrix leads to."""
    still, posed = fourier_of(source, STILL, np.eye(3)), fourier_of(source, LEARNED, POSE)
    places = grid()[::37]
    there = (np.column_stack([places, np.ones(len(places))]) @ posed.matrix.T)[:, :2]
    np.testing.assert_allclose(waves(posed, places), waves(still, there), atol=1e-5)
    corners = posed.outline(width=1, height=1)
    np.testing.assert_allclose(corners[0], (posed.matrix @ [-0.5, -0.5, 1])[:2])
    assert np.array_equal(corners[0], corners[4]) and still.outline(width=1, height=1)[2].tolist() == [0.5, 0.5]


def test_a_movement_turns_phases_and_a_rotation_turns_frequencies(source):
    still = fourier_of(source, STILL, np.eye(3))
    moved = fourier_of(source, STILL, pose_matrix(0.0, 0.25, 0.0))
    np.testing.assert_allclose(moved.freqs, still.freqs, atol=1e-6)
    turns = moved.phases - (still.phases - 0.25 * still.freqs[:, 0])
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-5)
    turned = fourier_of(source, STILL, pose_matrix(0.7))
    np.testing.assert_allclose(np.hypot(*turned.freqs.T), np.hypot(*still.freqs.T), atol=1e-5)
    assert not np.allclose(turned.freqs, still.freqs, atol=0.1) and turned.damped == 0


def test_frequencies_beyond_the_band_are_damped(source):
    source.transform.copy_(torch.diag(torch.tensor([3.0, 3.0, 1.0])))
    found = fourier_of(source, STILL, np.eye(3))
    length = np.hypot(*found.freqs.T)
    np.testing.assert_allclose(found.amplitudes, np.clip(1 - (length - 2) / (8 - 2), 0, 1), atol=1e-5)
    assert 0 < found.damped == int((length > 2 + 1e-5).sum())


def test_the_canvas_is_to_scale_and_the_most_used_wave_is_1(source):
    source.weight[:, 5] *= 3
    found = fourier_of(source, STILL, np.eye(3))
    assert found.canvas == (36 / 16, 28 / 16) and (found.bandwidth, found.nyquist) == (2.0, 8.0)
    assert found.strengths.argmax() == 5 and found.strengths.max() == 1


# ---------------------------------------------------------------------------------------------------- with the picture


def found(pipeline, view):
    frame = pipeline.render(RenderRequest(1, view))
    frames = [frame, *pipeline.refine(frame)]
    result = frames[-1].overlays[fourier_view.NAME]
    assert result.error is None and not result.stale
    return result.values, frames[-1]


def test_it_follows_the_learned_pose_and_the_users(pipeline):
    own, frame = found(pipeline, TINY_R)
    assert own.learned == pytest.approx(frame.learned_pose, abs=1e-6)
    none, _ = found(pipeline, TINY_R.edit(LearnedPose, mode="identity"))
    assert none.learned == (1, 0, 0, 0) and np.allclose(none.matrix, np.eye(3), atol=1e-6)
    fixed, _ = found(pipeline, TINY_R.edit(LearnedPose, mode="fixed", turns=0.25, x=0.5))
    assert fixed.learned == pytest.approx((0, 1, 0.5, 0), abs=1e-6)
    posed, _ = found(pipeline, TINY_R.edit(Pose, x=0.1))
    assert not np.allclose(posed.matrix, own.matrix, atol=0.01)


def test_a_learned_constant_has_no_waves(pipeline):
    values, frame = found(pipeline, TINY_SG2)
    assert values is None
    with show(fourier_view.PANEL, TINY_SG2, network=frame.network, frame=frame) as shown:
        shown.ui.frames(2)
        assert shown.changed_frames == 0


def test_the_panel_starts_it_and_draws_it(pipeline):
    values, _ = found(pipeline, TINY_R)
    with show(fourier_view.PANEL, network=alias_free_facts()) as shown:
        shown.ui.click("FourierView.on")
        assert shown.state == ViewState().edit(FourierView, on=True)
        shown.context.frame = replace(frame_of(alias_free_facts()), overlays={fourier_view.NAME: OverlayResult(values)})
        shown.ui.frames(5)


def test_what_the_cursor_reads(source):
    posed = fourier_of(source, LEARNED, POSE)
    assert fourier_view.wave_text(posed, *posed.freqs[7]).startswith("wave 7: ")
    middle = posed.matrix[:2, 2]
    assert fourier_view.place_text(posed, *middle).endswith("picture 0.00, 0.00")


def test_phases_half_a_turn_either_way_look_alike_and_others_do_not():
    assert fourier_view.phase_color(-0.5) == pytest.approx(fourier_view.phase_color(0.5))
    assert fourier_view.phase_color(0.0) != pytest.approx(fourier_view.phase_color(0.3))

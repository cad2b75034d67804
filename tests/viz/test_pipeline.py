"""Which work a change causes: the heart of the tool's speed, asserted stage by stage and layer by layer."""

import contextlib
import json
import math
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from networks.fully_connected import MappingNetwork
from networks.loading import load
from tests.golden import fill
from torch_utils import native_library, ops
from viz.canvas import contact_sheet
from viz.compare.pairs import with_views
from viz.groups.compare import OTHERS, OWN_BREAKS
from viz.pipeline import Pipeline
from viz.request import RenderRequest
from viz.stages.channels import choose
from viz.stages.latent import blend_weights, corners, draw_z
from viz.stages.picture import measure
from viz.state import (
    ANALYSES,
    DRAWN,
    RENDERED,
    BandFilter,
    Channels,
    Device,
    Latent,
    LearnedPose,
    Mixing,
    Noise,
    Pose,
    Source,
    Spectrum,
    SpectrumView,
    Tap,
    Tone,
    Truncation,
    Unwarp,
    View,
    ViewState,
)

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
TINY_R = ViewState().put(Source(str(GOLDEN / "tiny_r.pkl")))
TINY_SG2 = ViewState().put(Source(str(GOLDEN / "tiny_sg2.pkl")))
SHOW = ("channels", "band", "unwarp", "picture", "statistics")


class Asking:
    """Asks a pipeline and keeps the last frame."""

    def __init__(self, view: ViewState) -> None:
        self.pipeline, self.view = Pipeline(headless=True), view
        self.frame = self.ask(view)

    def ask(self, view: ViewState):
        self.view = view
        self.frame = self.pipeline.render(RenderRequest(1, view))
        assert self.frame is not None and self.frame.error is None, self.frame
        return self.frame

    def edit(self, kind, **changes):
        return self.ask(self.view.edit(kind, **changes))


@pytest.fixture(scope="module")
def r():
    return Asking(TINY_R)


@pytest.fixture
def asking(r):
    r.pipeline.memory.clear()
    r.ask(TINY_R)
    return r


def names(asking):
    return tuple(tap.name for tap in asking.frame.network.taps)


def test_the_first_frame_runs_everything():
    first = Asking(TINY_R)
    assert first.frame.ran == ("load", "latent", "synthesis", *SHOW, "tone")
    assert first.frame.layers_ran == names(first)


def test_until_the_kernels_are_there_pictures_come_from_the_reference(monkeypatch):
    """Opening them is waited for, compiling them is not; nor is either in files, which are made with what was asked for."""
    asked = iter(())

    def after(times):
        nonlocal asked
        asked = iter([False] * times)

    monkeypatch.setattr(native_library, "settled", lambda: next(asked, True))
    shown, own = Pipeline(), TINY_R.edit(Device, backend="native")
    assert shown._with_backend(TINY_R) is TINY_R
    after(3)
    shown._native_at = time.monotonic() + 600
    assert shown._with_backend(TINY_R) is TINY_R
    after(9)
    assert shown._with_backend(own) is own and Pipeline(headless=True)._with_backend(TINY_R) is TINY_R
    shown._native_at = time.monotonic() - 1
    assert shown._with_backend(TINY_R) == TINY_R.edit(Device, backend="reference")


def test_the_same_view_again_runs_nothing(asking):
    frame = asking.ask(asking.view)
    assert (frame.ran, frame.layers_ran) == ((), ())


def test_a_tone_change_runs_tone_only(asking):
    assert asking.edit(Tone, gain_db=4.0).ran == ("tone",)


@pytest.mark.parametrize("kind", [SpectrumView, View])
def test_how_it_is_drawn_runs_nothing(asking, kind):
    changes = {"range_db": 20.0} if kind is SpectrumView else {"zoom": 3.0}
    assert asking.edit(kind, **changes).ran == ()


def test_mixing_a_late_row_runs_late_layers_only(asking):
    layers = names(asking)
    row = asking.frame.network.taps[6].row
    frame = asking.edit(Mixing, rows=(row,), seed=77)
    assert frame.layers_ran == layers[6:]


def test_tapping_an_earlier_layer_computes_no_layer(asking):
    frame = asking.edit(Tap, layer=names(asking)[3])
    assert frame.layers_ran == () and frame.picture.tap == names(asking)[3]


def test_a_tap_stops_synthesis():
    fresh = Asking(TINY_R.edit(Tap, layer="input"))
    assert fresh.frame.layers_ran == ("input",)
    later = names(fresh)[2]
    assert fresh.edit(Tap, layer=later).layers_ran == names(fresh)[1:3]


def test_back_to_a_view_seen_a_moment_ago_runs_nothing(asking):
    asking.edit(Pose, x=0.05, turns=0.1)
    assert asking.ask(TINY_R).ran == ()


def test_dragging_the_pose_keeps_the_latent(asking):
    frame = asking.edit(Pose, x=0.07)
    assert "latent" not in frame.ran and frame.layers_ran == names(asking)


def test_channels_and_spectrum_do_not_touch_synthesis(asking):
    assert asking.edit(Channels, mode="single", first=1).ran == ("channels", "band", "unwarp", "picture", "tone")
    assert asking.edit(Spectrum, on=True).ran == ("spectrum",)
    assert asking.edit(Spectrum, beta=2.0).ran == ("spectrum",)
    assert asking.edit(Channels, normalize=True).ran == ("picture", "tone")


def test_the_spectrum_of_all_channels_does_not_follow_which_are_on_screen(asking):
    asking.ask(TINY_R.put(Latent(x=41.0)).put(Spectrum(on=True)))
    assert "spectrum" not in asking.edit(Channels, mode="single", first=1).ran
    assert "spectrum" in asking.edit(Spectrum, all_channels=False).ran
    assert "spectrum" in asking.edit(Channels, first=2).ran
    assert "spectrum" in asking.edit(BandFilter, on=True).ran


def test_the_spectrum_of_the_fourier_input_is_marked_at_the_inputs_own_band(asking):
    taps = asking.frame.network.taps
    found = asking.ask(TINY_R.put(Tap("input")).put(Spectrum(on=True))).spectrum
    assert (found.cutoff, found.stopband) == (taps[1].spec.in_cutoff, None)
    found = asking.ask(TINY_R.put(Spectrum(on=True))).spectrum
    assert (found.cutoff, found.stopband) == (taps[-2].spec.out_cutoff, taps[-2].spec.out_stopband)


def test_a_movement_that_rounds_to_no_pixel_is_none_to_undo(asking):
    """Whatever was asked before: the key is that of no pose at all."""
    rounded = TINY_R.put(Pose(x=0.001, snap=True)).put(Unwarp(on=True))
    assert asking.ask(rounded).picture.mask is None
    assert asking.ask(TINY_R.put(Unwarp(on=True))).picture.mask is None


def test_what_the_reference_kernels_remember_is_their_own(asking):
    """Also where the order of a contact sheet has asked for the layers first."""
    wanted = TINY_R.put(Latent(x=31.0)).put(Device(backend="reference"))
    asking.ask(wanted.put(Pose(x=0.1)).put(Channels(mode="sheet", sort="error")))
    assert np.array_equal(asking.ask(wanted).raw, Asking(wanted).frame.raw)


def test_latents_are_mapped_by_the_chosen_kernels_and_remembered_for_them(asking, monkeypatch):
    active, seen, use, forward = [()], [], ops.use, MappingNetwork.forward

    @contextlib.contextmanager
    def noted(name):
        active.append(name)
        with use(name):
            yield
        active.pop()

    monkeypatch.setattr(ops, "use", noted)
    monkeypatch.setattr(MappingNetwork, "forward", lambda self, *latents: (seen.append(active[-1]), forward(self, *latents))[1])
    for device in (Device(), Device(backend="reference"), Device()):
        asking.ask(TINY_R.put(Latent(x=44.0)).put(device))
    assert seen == [(), "reference"]


def test_noise_does_not_exist_for_an_alias_free_network(asking):
    assert asking.edit(Noise, mode="random", seed=5).ran == ()


def test_a_pose_does_not_exist_for_stylegan2():
    asking = Asking(TINY_SG2)
    assert not asking.frame.network.has_pose and asking.frame.network.has_noise
    assert asking.edit(Pose, x=0.1, turns=0.2).ran == ()
    before = asking.frame.raw
    assert asking.edit(Noise, mode="random", seed=5).ran[0] == "synthesis"
    assert not np.array_equal(before, asking.frame.raw)
    first = asking.frame.raw
    asking.edit(Noise, seed=6)
    assert np.array_equal(asking.edit(Noise, seed=5).raw, first)


def test_every_rendered_group_is_read_by_a_stage_and_no_drawn_group_is_but_tone():
    read = {kind for stage in Pipeline(headless=True).stages for kind in stage.reads}
    assert read == {*RENDERED, Tone} - {*ANALYSES, *OTHERS.values(), *OWN_BREAKS.values()}  # which decide the other views, and no stage
    assert read & set(DRAWN) == {Tone}


# ---------------------------------------------------------------------------------------------------- what is shown


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(GOLDEN / "tiny_r.npz"))


def close(a, b, tolerance=1e-4):
    assert np.abs(a - b).max() <= tolerance * np.abs(b).max()


def test_the_picture_of_a_seed_is_the_published_one(asking, golden):
    """The snapshot's weights are those of the golden arrays, and z of seed 0 is their first z."""
    assert np.allclose(draw_z(0, 16, 0, -1)[0], golden["z"][0], atol=1e-6)
    close(asking.ask(TINY_R).raw, golden["image"][0])
    assert np.array_equal(asking.frame.picture.values, asking.frame.raw.transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("name", "pose"),
    [
        ("translate", Pose(x=0.0625, y=-0.03125)),
        ("rotate", Pose(turns=0.37 / (2 * np.pi))),
        ("both", Pose(x=0.1, y=0.05, turns=-1.1 / (2 * np.pi))),
    ],
)
def test_pose_and_untransform_are_the_published_ones(asking, golden, name, pose):
    frame = asking.ask(TINY_R.put(pose))
    close(frame.raw, golden[f"image_{name}"][0])
    undone = asking.ask(TINY_R.put(pose).put(Unwarp(on=True))).picture
    expected = golden[f"untransform_{name}"]
    close(undone.values.transpose(2, 0, 1), expected[0] if expected.ndim == 4 else expected)
    assert undone.mask is not None and 0 < undone.mask.mean() < 1


def test_untransform_brings_a_layer_with_margins_back_to_its_place(asking):
    """W1: the shift of a layer is in image widths, whatever its margin. Undone, it matches the layer without a pose."""
    for tap in asking.frame.network.taps[:-2]:
        still = asking.ask(TINY_R.put(Tap(tap.name))).picture
        shift = 2 / tap.sampling_rate  # two samples
        moved = asking.ask(TINY_R.put(Tap(tap.name)).put(Pose(x=shift)).put(Unwarp(on=True))).picture
        margin = round(still.frame_rect[0])
        inner = (slice(margin, -margin or None), slice(margin, -margin or None))
        error = np.abs(moved.values - still.values)[inner][moved.mask[inner]]
        wrong = np.abs(np.roll(still.values, 1, axis=1) - still.values)[inner]
        assert error.mean() < 0.25 * wrong.mean(), tap.name


def test_truncation_and_class(golden):
    cond = dict(np.load(GOLDEN / "tiny_t_cond.npz"))
    view = ViewState().put(Source(str(GOLDEN / "tiny_t_cond.pkl")))
    label = int(cond["c"][0].argmax())
    close(Asking(view.put(Latent(class_index=label))).frame.raw, cond["image"][0])
    other = (label + 1) % 3
    assert not np.allclose(Asking(view.put(Latent(class_index=other))).frame.raw, cond["image"][0])
    psi = TINY_R.put(Truncation(psi=0.7, cutoff=5))
    network = load(GOLDEN / "tiny_r.pkl").network
    image = network.synthesize(torch.from_numpy(golden["ws_psi07_cut5"]))[0]
    close(Asking(psi).frame.raw, image.numpy())


def test_learned_pose_can_be_locked(asking):
    own = asking.ask(TINY_R).raw
    average = asking.edit(LearnedPose, mode="average").raw
    identity = asking.edit(LearnedPose, mode="identity").raw
    assert not np.allclose(own, average) and not np.allclose(average, identity)
    r_c, r_s, t_x, t_y = asking.frame.learned_pose
    turns = math.atan2(r_s, r_c) / math.tau
    fixed = asking.edit(LearnedPose, mode="fixed", turns=turns, x=t_x, y=t_y).raw
    assert np.allclose(fixed, own, atol=1e-4 * np.abs(own).max())
    assert not np.allclose(asking.edit(LearnedPose, turns=turns + 0.1).raw, own, atol=1e-2)


def test_what_is_not_learned_has_no_numbers(asking):
    """A StyleGAN2 with Fourier input (rung B) takes a pose and learns none."""
    assert asking.frame.learned_pose is not None
    frame = asking.ask(TINY_R.put(Source("globe-still-b-64")))
    assert frame.network.has_pose and frame.learned_pose is None


def test_a_layer_knows_where_the_image_lies(asking):
    picture = asking.edit(Tap, layer="input").picture
    tap = asking.frame.network.taps[0]
    assert picture.values.shape[:2] == (tap.size[1], tap.size[0])
    x0, y0, x1, y1 = picture.frame_rect
    assert (x1 - x0, y1 - y0) == (tap.sampling_rate, tap.sampling_rate)


def test_normalising_leaves_the_margin_out_of_account(asking):
    frame = asking.ask(TINY_R.put(Tap(names(asking)[2])).put(Channels(mode="single", normalize=True)))
    x0, y0, x1, y1 = (round(v) for v in frame.picture.frame_rect)
    assert np.abs(frame.picture.values[y0:y1, x0:x1]).max() == pytest.approx(1.0)


def test_statistics_leave_the_margin_out(asking):
    frame = asking.ask(TINY_R.put(Tap("input")))
    x0, y0, x1, y1 = (round(v) for v in frame.picture.frame_rect)
    inner = frame.raw[:, y0:y1, x0:x1]
    assert frame.statistics_all.mean == pytest.approx(inner.mean(), abs=1e-5)
    assert frame.statistics_all.max_abs == pytest.approx(np.abs(inner).max())
    assert frame.statistics_all.max_abs < np.abs(frame.raw).max() * 1.0001


def test_statistics_count_what_is_not_finite():
    values = torch.tensor([[[1.0, float("nan")], [float("inf"), 3.0]]])
    found = measure(values)
    assert (found.mean, found.max_abs, found.non_finite) == (2.0, 3.0, 2)
    assert np.isnan(measure(torch.full((1, 2, 2), float("nan"))).mean)


def test_the_contact_sheet_holds_every_channel_once(asking):
    frame = asking.ask(TINY_R.put(Tap(names(asking)[4])).put(Channels(mode="sheet")))
    picture = frame.picture
    height, width = frame.raw.shape[1:]
    for i, channel in enumerate(picture.channels):
        row, column = i // picture.grid, i % picture.grid
        cell = picture.values[row * height : (row + 1) * height, column * width : (column + 1) * width, 0]
        assert np.array_equal(cell, frame.raw[channel])
    assert picture.channels == tuple(range(min(contact_sheet.CHANNELS, frame.raw.shape[0])))


def test_the_contact_sheet_of_an_undone_pose_says_of_every_sample_whether_it_is_valid(asking):
    view = TINY_R.put(Tap(names(asking)[4])).put(Pose(turns=0.1)).put(Unwarp(on=True))
    one = asking.ask(view.put(Channels(mode="single"))).picture
    sheet = asking.ask(view.put(Channels(mode="sheet"))).picture
    height, width = one.mask.shape
    assert sheet.mask.shape == sheet.values.shape[:2] and 0 < one.mask.mean() < 1
    for index in range(len(sheet.channels)):
        row, column = divmod(index, sheet.grid)
        assert np.array_equal(sheet.mask[row * height : (row + 1) * height, column * width : (column + 1) * width], one.mask)


def test_channel_numbers_are_clamped():
    assert choose(Channels(first=500), 8, 100) == (5, 6, 7)
    assert choose(Channels(mode="single", first=500), 8, 100) == (7,)
    assert choose(Channels(triple=(7, 0, 99)), 8, 100) == (7, 0, 7)
    assert choose(Channels(), 2, 100) == (0,)
    assert choose(Channels(mode="sheet", sheet_page=9), 100, 100) == tuple(range(64, 100))
    assert contact_sheet.page_size(512, 1044 * 1044) == 15


# ---------------------------------------------------------------------------------------------------- the seed lattice


def test_lattice_corners_are_the_published_ones():
    assert dict(corners(2.25, 0.5)) == {2: 0.375, 3: 0.125, 102: 0.375, 103: 0.125}
    assert dict(corners(7.0, 1.0)) == {107: 1.0}
    assert dict(corners(-0.5, 0.0)) == {2**32 - 1: 0.5, 0: 0.5}


def test_the_published_blend_shrinks_between_seeds_and_the_preserving_one_does_not():
    def norm(blend):
        return sum(w**2 for _, w in blend_weights(Latent(x=0.5, y=0.5, blend=blend))) ** 0.5

    assert norm("published") == pytest.approx(0.5)
    assert norm("preserving") == pytest.approx(1.0)
    assert blend_weights(Latent(x=3.0, blend="preserving")) == ((3, 1.0),)


def test_the_class_of_a_seed_comes_from_the_same_stream():
    z, c = draw_z(9, 12, 3, -1)
    stream = np.random.RandomState(9)
    assert np.array_equal(stream.randn(12), z) and int(c.argmax()) == stream.randint(3)
    assert draw_z(9, 12, 3, 2)[1].argmax() == 2


# ---------------------------------------------------------------------------------------------------- errors


def test_a_missing_network_is_one_sentence_and_the_next_request_works():
    pipeline = Pipeline()
    frame = pipeline.render(RenderRequest(1, ViewState().put(Source("no/such.pkl"))))
    assert frame.error.stage == "load" and "no/such.pkl" in frame.error.message and frame.picture is None
    assert pipeline.render(RenderRequest(2, TINY_R)).error is None


def test_a_failing_stage_is_named_and_earlier_results_stay(monkeypatch, asking):
    def broken(*args, **kwargs):
        raise RuntimeError("planted")

    monkeypatch.setattr(type(asking.pipeline.networks._ready.popitem()[1].network), "synthesize", broken)
    asking.pipeline.networks.clear()
    frame = asking.pipeline.render(RenderRequest(1, TINY_R.edit(Pose, x=0.123)))
    assert frame.error.stage == "synthesis" and "planted" in frame.error.message and "Traceback" in frame.error.details
    assert frame.network is not None


def test_out_of_memory_drops_what_was_remembered(monkeypatch):
    asking = Asking(TINY_R)
    assert len(asking.pipeline.memory) > 0

    def full(*args, **kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(type(load(GOLDEN / "tiny_r.pkl").network), "synthesize", full)
    frame = asking.pipeline.render(RenderRequest(1, TINY_R.edit(Pose, x=0.2)))
    assert "Out of memory" in frame.error.message and asking.pipeline.memory.used_bytes == 0


def test_an_unknown_device_is_a_sentence():
    frame = Pipeline().render(RenderRequest(1, TINY_R.edit(Device, device="tpu")))
    assert "tpu" in frame.error.message and frame.error.stage == "load"


def test_a_superseded_synthesis_stops_between_layers():
    asking = Asking(TINY_R)
    newer = TINY_R.edit(Latent, x=9.0)
    frame = asking.pipeline.render(RenderRequest(2, TINY_R.edit(Latent, x=5.0)), newest=lambda: newer, may_stop=True)
    assert frame is None
    drawn = TINY_R.edit(Latent, x=5.0).edit(Channels, first=1)  # the same synthesis: finishing it serves both
    assert asking.pipeline.render(RenderRequest(3, TINY_R.edit(Latent, x=5.0)), newest=lambda: drawn, may_stop=True) is not None


def test_memory_is_bounded():
    pipeline = Pipeline(memory_bytes=200_000)
    for i in range(20):
        frame = pipeline.render(RenderRequest(i, TINY_R.edit(Latent, x=float(i))))
        assert frame.error is None and frame.memory_bytes <= 200_000


def test_networks_that_are_not_used_any_more_are_let_go():
    pipeline = Pipeline()
    for name in ("tiny_r", "tiny_t", "tiny_sg2", "tiny_sg2_orig", "tiny_t_cond"):
        assert pipeline.render(RenderRequest(1, ViewState().put(Source(str(GOLDEN / f"{name}.pkl"))))).error is None
    assert len(pipeline.networks._ready) == 3
    names = [{"network": str(GOLDEN / f"{name}.pkl")} for name in ("tiny_t", "tiny_sg2", "tiny_t_cond")]
    frame = pipeline.render(RenderRequest(1, with_views(TINY_R, *names)))
    assert len([*pipeline.refine(frame)][-1].others) == 3 and len(pipeline.networks._ready) == 5  # four, and one before


def test_a_reload_reads_the_file_again(tmp_path):
    path = tmp_path / "net.pkl"
    path.write_bytes((GOLDEN / "tiny_r.pkl").read_bytes())
    asking = Asking(ViewState().put(Source(str(path))))
    before = asking.frame.network
    path.write_bytes((GOLDEN / "tiny_t.pkl").read_bytes())
    assert asking.edit(Latent, x=1.0).network.sha256 == before.sha256
    assert asking.edit(Source, reload=1).network.sha256 != before.sha256


def test_a_view_saved_with_other_weights_says_so(asking):
    """Whichever view the network was loaded for."""
    says = lambda frame: any("other weights" in note for note in frame.network.notes)  # noqa: E731
    first = Asking(TINY_R.edit(Source, sha256="0" * 64))
    assert says(first.frame) and not says(first.ask(TINY_R))
    assert not says(asking.frame) and says(asking.edit(Source, sha256="0" * 64))


def test_the_golden_fill_is_what_the_snapshot_holds():
    """Ties the two golden sources together: a mistake in one would show here."""
    network = load(GOLDEN / "tiny_r.pkl").network
    name, parameter = next(iter(network.named_parameters()))
    assert np.allclose(parameter.detach().numpy(), fill.draw(name, tuple(parameter.shape)).reshape(parameter.shape))
    assert json.loads((GOLDEN / "tiny_r.json").read_text())["img_resolution"] == network.img_resolution


def test_tone_is_what_the_png_holds(tmp_path, asking):
    frame = asking.edit(Tone, gain_db=20 * np.log10(2))
    expected = np.floor(np.clip(frame.picture.values * 2 * 127.5 + 127.5, 0, 255) + 0.5).clip(0, 255).astype(np.uint8)
    assert np.abs(frame.toned.astype(int) - expected.astype(int)).max() <= 1
    Image.fromarray(frame.toned).save(tmp_path / "a.png")


def test_a_drag_goes_round_in_the_memory_of_a_few_pictures():
    dragged = Asking(TINY_R)
    held = [dragged.edit(Pose, x=i / 100).memory_bytes for i in range(1, 31)]
    assert held[29] - held[9] < 0.25 * (held[9] - held[0])  # later only pictures are added, not the layers behind them
    frame = dragged.edit(Tap, layer=names(dragged)[3])
    assert frame.layers_ran == ()

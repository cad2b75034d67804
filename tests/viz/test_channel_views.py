"""Channels in an order, as principal components, and as angles: known signals, and what the stages make of them."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from tests.viz.asked import GOLDEN, TINY_R, ask
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from torch_utils.resample import warp
from viz import cli
from viz.memory import Memory
from viz.pipeline import Pipeline
from viz.request import RenderRequest
from viz.stages import Run, channel_order
from viz.stages.channel_colors import phase, principal
from viz.stages.channel_order import TEST_SHIFT, beyond, energy, ordered
from viz.stages.channels import choose
from viz.state import Channels, Latent, LearnedPose, Noise, Pose, Source, Tap, ViewState

SIZE = 48


def grating(cycles, size=SIZE, *, shift=0.0, turns=0.0):
    x = (torch.arange(size) + 0.5) / size - shift
    along = torch.cos(2 * math.pi * cycles * x)[None, :].expand(size, size)
    return along.T.clone() if turns else along.clone()


# ---------------------------------------------------------------------------------------------------- scores


def test_energy_is_the_variance_and_a_mean_is_none():
    values = torch.stack([torch.full((8, 8), 5.0), grating(2, 8), 3 * grating(2, 8)])
    assert energy(values).tolist() == pytest.approx([0, 0.5, 4.5], abs=1e-5)


def test_the_share_beyond_is_that_of_a_known_two_tone():
    values = torch.stack([grating(4) + 3 * grating(16), grating(4), grating(16), torch.ones(SIZE, SIZE)])
    shares = beyond(values, 10.0, SIZE)
    assert shares[:3].tolist() == pytest.approx([0.9, 0, 1], abs=0.01)
    assert torch.isnan(shares[3]) or shares[3] < 1  # nothing has no share
    level = beyond(100 + values[:3], 10.0, SIZE)
    assert level.tolist() == pytest.approx(shares[:3].tolist(), abs=1e-4), "a mean is no detail"
    ramp = torch.linspace(-1, 1, SIZE).expand(1, SIZE, SIZE)
    assert beyond(ramp, 10.0, SIZE) < 1e-4, "nor is a border"


class Stub:
    """A network of two channels that are posed exactly as far as `follows` says."""

    def __init__(self, follows):
        self.follows, self.asked = follows, []

    def synthesize(self, ws, *, pose, **_):
        self.asked.append(pose)
        base = torch.stack([grating(3), grating(5)])[None]
        moved = base if pose is None else warp(base, np.array(pose), sampling_rate=SIZE)[0]
        return torch.stack([moved[:, i] if follow else base[:, i] for i, follow in enumerate(self.follows)], dim=1)


def run_of(view, network):
    tap = SimpleNamespace(name="x", sampling_rate=float(SIZE), spec=None)
    facts = SimpleNamespace(tap=lambda _: tap, taps=(tap,), has_pose=True, has_noise=False, resolution=SIZE)
    ready = SimpleNamespace(facts=facts, network=network, device=torch.device("cpu"), identity="stub")
    ready.without_edits = ready
    matrix = view.get(Pose).matrix()
    values = network.synthesize(None, pose=None if matrix == Pose().matrix() else matrix)[0]
    return Run(view, {"load": ready, "synthesis": values, "latent": SimpleNamespace(ws=torch.zeros(1, 1, 1))}, {}, Memory(1 << 20))


@pytest.mark.parametrize("pose", [Pose(), Pose(x=0.1), Pose(turns=0.05)])
def test_the_channel_that_sticks_comes_first(pose):
    view = ViewState().put(Channels(mode="sheet", sort="error")).put(pose).put(LearnedPose()).put(Noise())
    for follows, first in (((True, False), 1), ((False, True), 0)):
        order = ordered(run_of(view, Stub(follows)))
        assert order.numbers[0] == first
        decibels = [float(note.removesuffix(" dB").replace("∞", "inf")) for note in order.notes]
        assert decibels[0] < 10 < 25 < decibels[1]


def test_without_a_pose_of_its_own_the_view_is_tested_with_a_small_shift():
    network = Stub((True, False))
    ordered(run_of(ViewState().put(Channels(mode="sheet", sort="error")), network))
    assert network.asked[-1][0][2] == pytest.approx(TEST_SHIFT / SIZE)


# ---------------------------------------------------------------------------------------------------- colours


def test_principal_components_of_three_signals_are_found_again():
    signals = torch.stack([3 * grating(2), 2 * grating(5, turns=1), grating(9)])
    mixing = torch.linalg.qr(torch.randn(12, 3, generator=torch.Generator().manual_seed(0)))[0]
    values = torch.einsum("ck,khw->chw", mixing, signals) + 7
    found, share = principal(values, values)
    assert share == pytest.approx(1, abs=1e-4)
    for component, signal in zip(found, signals, strict=True):
        correlation = torch.corrcoef(torch.stack([component.flatten(), signal.flatten()]))[0, 1]
        assert abs(float(correlation)) > 0.999
        assert float(component.std(correction=0)) == pytest.approx(0.5, abs=1e-3)
        assert abs(float(component.mean())) < 1e-4
    again, _ = principal(values.flip(2), values.flip(2))
    torch.testing.assert_close(again.flip(2), found, atol=1e-3, rtol=1e-3)  # the sign does not depend on the order of places


def test_principal_components_of_nothing_are_nothing():
    found, share = principal(torch.ones(5, 8, 8), torch.ones(5, 8, 8))
    assert share == 0 and torch.isfinite(found).all() and found.abs().max() < 1e-3


def test_two_waves_a_quarter_apart_turn_through_the_colours():
    x = (torch.arange(SIZE) + 0.5) / SIZE
    pair = torch.stack([torch.cos(2 * math.pi * x).expand(SIZE, SIZE), torch.sin(2 * math.pi * x).expand(SIZE, SIZE)])
    colors = (phase(pair, pair)[:, 0] + 1) / 2
    assert colors.max(dim=0).values.min() == pytest.approx(0.5, abs=0.01)  # the same brightness all the way: half, at one deviation
    assert colors[:, 0].argmax() == 0 and colors[:, SIZE // 3].argmax() == 1 and colors[:, 2 * SIZE // 3].argmax() == 2


# ---------------------------------------------------------------------------------------------------- stages


def layer(pipeline, index=3):
    return TINY_R.edit(Tap, layer=ask(pipeline, TINY_R).network.taps[index].name)


@pytest.mark.parametrize("by", ["energy", "error", "band"])
def test_a_sorted_sheet_shows_each_channel_in_the_place_it_says(pipeline, by):
    view = layer(pipeline)
    plain = ask(pipeline, view.put(Channels(mode="sheet"))).picture
    frame = ask(pipeline, view.put(Channels(mode="sheet", sort=by)))
    picture = frame.picture
    assert "synthesis" not in frame.ran
    assert sorted(picture.channels) == list(plain.channels) and picture.channels != plain.channels
    assert picture.note == f"by {by}" and len(picture.notes) == len(picture.channels) and all(picture.notes)
    width, height = picture.cell

    def cell(values, grid, place):
        row, column = divmod(place, grid)
        return values[row * height : (row + 1) * height, column * width : (column + 1) * width]

    for place, channel in enumerate(picture.channels[:5]):
        assert np.array_equal(cell(picture.values, picture.grid, place), cell(plain.values, plain.grid, channel))


def test_the_order_costs_nothing_where_it_is_not_seen(pipeline):
    view = layer(pipeline).put(Channels(mode="rgb"))
    ask(pipeline, view)
    assert not ask(pipeline, view.edit(Channels, sort="energy")).ran


def test_where_there_is_no_band_the_order_stays(pipeline):
    view = ViewState().put(Source(str(GOLDEN / "tiny_sg2.pkl"))).put(Channels(mode="sheet", sort="band"))
    view = view.edit(Tap, layer=ask(pipeline, view).network.taps[1].name)
    for by in ("band", "error"):
        picture = ask(pipeline, view.edit(Channels, sort=by)).picture
        assert picture.channels == tuple(range(len(picture.channels))) and picture.note == "" and not picture.notes


def test_components_and_angles_are_colours(pipeline):
    view = layer(pipeline)
    components = ask(pipeline, view.put(Channels(mode="pca"))).picture
    assert components.values.shape[2] == 3 and components.note.startswith("components with ")
    angle = ask(pipeline, view.put(Channels(mode="phase", first=2))).picture
    assert angle.values.shape[2] == 3 and angle.channels == (2, 3) and angle.note == "angle of 2 + i 3"
    assert np.abs(angle.values).max() <= 1


def test_the_finished_picture_has_components_too(pipeline):
    assert ask(pipeline, TINY_R.put(Channels(mode="pca"))).picture.values.shape[2] == 3


def test_which_channels_are_chosen():
    assert choose(Channels(mode="phase", first=99), 10, 1) == (8, 9)
    assert choose(Channels(mode="phase", triple=(7, 3, 1)), 10, 1) == (7, 3)
    assert choose(Channels(mode="pca"), 10, 1) == (0, 1, 2)
    assert choose(Channels(mode="pca"), 1, 1) == (0,) == choose(Channels(mode="phase"), 1, 1)


# ---------------------------------------------------------------------------------------------------- control


def test_the_panel_offers_them():
    facts = alias_free_facts()
    view = ViewState().edit(Tap, layer=facts.taps[3].name)
    with show("channels", view, network=facts) as shown:
        shown.ui.click("Channels.mode.phase")
        assert shown.state.get(Channels).mode == "phase"
        shown.ui.click("Channels.mode.pca")
        assert shown.state.get(Channels).mode == "pca" and not shown.ui.exists("Channels.first")
        shown.ui.click("Channels.mode.sheet")
        shown.ui.choose("Channels.sort", "error")
        assert shown.state.get(Channels) == Channels(mode="sheet", sort="error")
        picture = frame_of(facts).picture
        assert picture is not None and shown.ui.item("Channels.mode.phase").right < 25 * 16


@pytest.mark.parametrize(
    ("words", "channels"),
    [
        (["--channels", "5,0,3"], Channels(triple=(5, 0, 3), first=5)),
        (["--set", "Channels.mode=sheet", "--set", "Channels.sort=energy"], Channels(mode="sheet", sort="energy")),
        (["--set", "Channels.mode=sheet", "--set", "Channels.sort=error"], Channels(mode="sheet", sort="error")),
        (["--set", "Channels.mode=sheet", "--set", "Channels.sort=band"], Channels(mode="sheet", sort="band")),
        (["--set", "Channels.mode=pca"], Channels(mode="pca")),
        (["--set", "Channels.mode=phase"], Channels(mode="phase")),
    ],
    ids=lambda value: value.mode + value.sort if isinstance(value, Channels) else "",
)  # fmt: skip
def test_the_command_line_draws_what_the_window_draws(words, channels, tmp_path):
    pipeline = Pipeline(headless=True)
    network = str(GOLDEN / "tiny_r.pkl")
    layer = pipeline.render(RenderRequest(1, ViewState().put(Source(network)))).network.taps[3].name
    view = ViewState().put(Source(network)).put(Tap(layer)).put(Latent(x=2.0)).put(channels)
    expected = pipeline.render(RenderRequest(2, view)).toned
    assert cli.run(["render", network, "--seed", "2", "--layer", layer, *words, "--out", str(tmp_path / "a.png")]) == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png").convert("RGB")), expected)
    plain = pipeline.render(RenderRequest(3, view.reset(Channels))).toned
    assert plain.shape != expected.shape or not np.array_equal(plain, expected)


def test_a_channel_that_holds_no_numbers_is_not_without_error():
    assert [channel_order._decibels(ratio) for ratio in (0.01, 0.0, math.nan)] == ["20 dB", "∞ dB", "—"]


def test_a_channel_that_is_no_number_comes_last_and_has_no_deviation(monkeypatch):
    values = torch.stack([torch.full((16, 16), math.nan), grating(2, 16), 3 * grating(2, 16)])
    tap = SimpleNamespace(sampling_rate=16.0, name="L0")
    inputs = {"synthesis": values, "load": SimpleNamespace(facts=SimpleNamespace(tap=lambda _: tap))}
    view = ViewState().edit(Channels, mode="sheet", sort="energy")
    found = ordered(Run(view, inputs, {}, Memory(1 << 20)))
    assert found.numbers == (2, 1, 0) and found.notes == ("σ 2.1", "σ 0.71", "σ —")


def test_of_a_picture_that_has_left_the_image_no_channel_has_an_error(pipeline, recwarn):
    far = TINY_R.put(Tap("L1_36_16")).edit(Channels, mode="sheet", sort="error").edit(Pose, x=3.0)
    picture = ask(pipeline, far).picture
    assert set(picture.notes) == {"—"}, "nor an infinitely good one"
    assert not [w for w in recwarn if "freedom" in str(w.message)]

"""What holds for all panels: no input, no change; every situation can be drawn; resets give the defaults; fields agree with the state."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pytest

import viz.analysis
import viz.panels
from gui_utils.controls import Field
from gui_utils.libraries import imgui
from tests.viz.panels.shown import alias_free_facts, error_frame, frame_of, show, spectrum_of, stylegan2_facts
from viz import state as states
from viz.panels import PanelContext, UiTiming, discover
from viz.request import Progress, Statistics
from viz.settings import Settings
from viz.state import GROUPS, ViewState

PANELS = {panel.title: panel for panel in discover()}
TITLES = (
    "Latent", "Style mix", "Truncation", "Pose", "Network", "Layers", "Channels", "Spectrum", "Timing", "Log", "Timeline",
    "Equivariance", "Sticking", "Slice", "Profile", "By layer", "Sweep", "Flicker", "Flow", "Metrics",
    "Average spectrum", "Out of band", "Nonlinearity", "Band", "Filters", "Break it", "Fourier input", "Filmstrip",
    "Layer health", "Compare", "Inversion", "Drag points", "Directions", "Edits", "Channel effect",
)  # fmt: skip


@dataclass
class Entry:
    """As much of a catalogue entry as the panel reads."""

    name: str
    kind: str
    size_bytes: int | None = None
    title: str = "A network"
    licence: str = "its own"
    config: str = "T"
    resolution: int = 1024
    description: str = "Draws things."
    cached: bool = False


# Values that a saved view may hold although no control reaches them or would give them back as they are; everything switched on.
FAR_OUT = (
    ViewState()
    .edit(states.Latent, x=-12.3456789, y=0.1, class_index=77, blend="preserving")
    .edit(states.Mixing, rows=(0, 3, 40), seed=2**32 - 1, amount=0.123456789)
    .put(states.Directions((states.Direction(4000, 999.5, 9, 3), states.Direction(77, -0.1, 250, 255, own=True)), "no such file.npz"))
    .edit(states.Truncation, psi=7.1, cutoff=99)
    .put(states.EditActivations((states.Edit(False, ("L99", "b8"), (0, 4000), "move", -999.5, -9.1, 0.3, 7.77, 0.1), states.Edit())))
    .edit(states.Noise, mode="random", seed=2**31 + 5)
    .edit(states.Pose, x=0.123456789, y=-9.1, turns=-0.43, snap=True)
    .edit(states.Channels, mode="rgb", first=9999, triple=(1, 5, 9999), normalize=True, sheet_page=88)
    .edit(states.Tone, gain_db=71.5, offset=3.3, colormap="diverging", signed=False)
    .edit(states.Spectrum, on=True, all_channels=False, beta=49.9)
    .edit(states.SpectrumView, range_db=150.1, absolute=True)
    .edit(states.Device, device="cuda:3", backend="native", force_fp32=True)
    .edit(states.Tap, layer="no such layer")
    .edit(states.LatentMotion, on=True, seeds_per_s=99.0)
    .edit(states.RotateMotion, on=True, turns_per_s=-9.5)
)
R, SG2 = alias_free_facts(translation_limit=0.2, notes=("Saved with other weights.",)), stylegan2_facts()
NAN = frame_of(R, statistics_all=Statistics(float("nan"), float("inf"), 1.0))
SITUATIONS: dict[str, tuple[ViewState, dict[str, Any]]] = {
    "nothing loaded": (ViewState(), {}),
    "loading": (ViewState(), {"progress": Progress("Downloading", None, True), "busy": True}),
    "alias-free": (ViewState(), {"network": R, "frame": frame_of(R, spectrum=spectrum_of())}),
    "alias-free, an error": (ViewState(), {"network": R, "frame": error_frame()}),
    "a tiny frame": (ViewState().edit(states.Spectrum, on=True), {"network": SG2, "frame": frame_of(SG2, spectrum=spectrum_of(2))}),
    "one bin": (ViewState().edit(states.Spectrum, on=True), {"network": SG2, "frame": frame_of(SG2, spectrum=spectrum_of(1))}),
    "not a number": (ViewState(), {"network": R, "frame": NAN}),
    "stylegan2, conditional": (ViewState(), {"network": SG2, "frame": frame_of(SG2)}),
    "far out": (FAR_OUT, {"network": R, "frame": frame_of(R, FAR_OUT, spectrum=spectrum_of())}),
    "far out, nothing loaded": (FAR_OUT, {}),
    "everything at once": (
        ViewState().edit(states.Spectrum, on=True).edit(states.Channels, mode="sheet"),
        {
            "network": R,
            "frame": frame_of(R, spectrum=spectrum_of()),
            "timing": UiTiming((0.004,) * 50, (0.04, 0.05)),
            "settings": Settings(bookmarks=((1.0, 0.0), (2.5, -1.25)), recent=("/a/b.pkl", "tiny-r")),
            "catalogue": (Entry("tiny-r", "bundled", 976_000), Entry("big", "published"), Entry("here", "published", cached=True)),
            "changed_on_disk": True,
            "image": lambda name, pixels: imgui.ImTextureRef(1),
        },
    ),
}  # fmt: skip


def test_all_panels_are_found():
    assert set(PANELS) == set(TITLES)
    assert {p.region for p in PANELS.values()} == {"left", "right", "bottom"}
    assert len({(p.region, p.order) for p in PANELS.values()}) == len(PANELS)


@pytest.mark.parametrize("title", TITLES)
def test_without_input_nothing_changes(title):
    """In every situation, 20 frames return the very state object that went in and emit nothing."""
    with show(PANELS[title]) as shown:
        for name, (state, context) in SITUATIONS.items():
            shown.state, shown.context, shown.changed_frames = state, PanelContext(**context), 0
            shown.ui.frames(20)
            assert shown.state is state, name
            assert shown.changed_frames == 0, name
            assert not shown.commands, name


@pytest.mark.parametrize(
    ("title", "kinds"),
    [
        ("Latent", (states.Latent, states.LatentMotion)), ("Style mix", (states.Mixing, states.MixingMotion)),
        ("Truncation", (states.Truncation, states.Noise, states.NoiseMotion)),
        ("Pose", (states.Pose, states.LearnedPose, states.Unwarp, states.TranslateMotion, states.RotateMotion)),
        ("Channels", (states.Channels, states.Tone, states.HeldRange)), ("Spectrum", (states.Spectrum, states.SpectrumView)),
        ("Directions", (states.Directions,)), ("Edits", (states.EditActivations,)),
    ],
)  # fmt: skip
def test_reset_gives_the_defaults_of_its_groups_and_of_no_other(title, kinds):
    button = f"{kinds[0].__name__}.reset"
    with show(PANELS[title], FAR_OUT, network=R) as shown:
        shown.ui.click(button)
        assert shown.state == FAR_OUT.reset(*kinds)
        assert all(kind not in shown.state.groups for kind in kinds)
        assert shown.ui.item(button).disabled  # nothing is left to reset


def fields() -> Iterator[Field]:
    """Every Field that a panel module holds, also in tuples and dicts."""

    def within(value: Any) -> Iterator[Field]:
        if isinstance(value, Field):
            yield value
        elif isinstance(value, dict | MappingProxyType):
            for each in value.values():
                yield from within(each)
        elif isinstance(value, tuple | list):
            for each in value:
                yield from within(each)

    seen: set[int] = set()
    panels = [importlib.import_module(f"viz.panels.{module.name}") for module in pkgutil.iter_modules(viz.panels.__path__)]
    for module in (*panels, *viz.analysis.modules()):
        for value in vars(module).values():
            for field in within(value):
                if id(field) not in seen:
                    seen.add(id(field))
                    yield field


FIELDS = list(fields())


def test_ids_are_unique():
    ids = [field.id for field in FIELDS]
    assert len(ids) > 50
    assert sorted(ids) == sorted(set(ids))


def test_everything_that_acts_says_what_it_does():
    assert not [field.id for field in FIELDS if not field.help]


def test_defaults_of_controls_are_those_of_the_state():
    kinds = {kind.__name__: kind for kind in (*GROUPS, Settings)}
    checked = 0
    for field in FIELDS:
        group, _, name = field.id.partition(".")
        if field.default is None or group not in kinds or not hasattr(kinds[group](), name):
            continue
        default = getattr(kinds[group](), name)
        assert field.default == default and type(field.default) is type(default), field.id
        checked += 1
    assert checked >= 25


def test_controls_stay_within_what_a_saved_view_may_hold():
    kinds = {kind.__name__: kind for kind in GROUPS}
    for field in FIELDS:
        group, _, name = field.id.partition(".")
        limits = next((f.metadata for f in dataclasses.fields(kinds[group]) if f.name == name), {}) if group in kinds else {}
        if not limits or isinstance(field.default, str | bool):
            continue
        assert limits["low"] is None or field.low >= min(limits["low"], 0), field.id
        assert limits["high"] is None or field.high <= limits["high"], field.id


PUBLISHED_RANGES = {  # id: (low, high, power, default), as people know them from the published visualizer
    "LatentMotion.seeds_per_s": (-5, 5, 3, 0.25),
    "Truncation.psi": (-1, 2, 1, 1.0),
    "TranslateMotion.widths_per_s": (0, 0.5, 5, 0.01),
    "RotateMotion.turns_per_s": (-1, 1, 3, 0.005),
    "Tone.gain_db": (-40, 40, 1, 0.0),
    "SpectrumView.range_db": (0.1, 100, 1, 50.0),
    "Spectrum.beta": (0, 50, 2.63, 8.0),
    "Settings.fps_limit": (5, 1000, 1, 60),
}


@pytest.mark.parametrize("name", PUBLISHED_RANGES)
def test_ranges_are_the_published_ones(name):
    field = next(f for f in FIELDS if f.id == name)
    assert (field.low, field.high, field.power, field.default) == PUBLISHED_RANGES[name]

"""One panel on show: known networks and frames, and a window without OpenGL in which the panel is drawn and operated."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from gui_utils.libraries import imgui
from networks.spec import TapInfo
from tests.drive import Driver
from viz.panels import Panel, PanelContext
from viz.request import Frame, NetworkFacts, Picture, RenderError, RenderRequest, SpectrumResult, Statistics, Timing
from viz.state import ViewState

DEFAULT = ViewState()
SIZE_EM = (22.0, 60.0)  # a column of the window


# name, channels, size, sampling rate, cutoff of the incoming and of the outgoing signal
LAYERS = (
    ("L0_36_96", 96, 36, 16, 2.0, 2.0), ("L1_36_96", 96, 36, 16, 2.0, 2.83), ("L2_36_96", 96, 36, 16, 2.83, 4.0),
    ("L3_52_96", 96, 52, 32, 4.0, 5.66), ("L4_52_96", 96, 52, 32, 5.66, 8.0), ("L5_84_96", 96, 84, 64, 8.0, 11.3),
    ("L6_84_96", 96, 84, 64, 11.3, 16.0), ("L7_84_91", 91, 84, 64, 16.0, 22.6), ("L8_84_64", 64, 84, 64, 22.6, 32.0),
    ("L9_64_64", 64, 64, 64, 32.0, 32.0), ("L10_64_3", 3, 64, 64, 32.0, 32.0),
)  # fmt: skip


def alias_free_facts(**changes: Any) -> NetworkFacts:
    """A configuration-R network at 64 px. Of a layer's specification, it has what the panels read."""
    taps = [TapInfo("input", 96, (36, 36), 16.0, row=0)]
    for row, (name, channels, size, rate, before, after) in enumerate(LAYERS, start=1):
        spec: Any = SimpleNamespace(in_cutoff=before, out_cutoff=after, out_stopband=1.2 * after)
        taps.append(TapInfo(name, channels, (size, size), float(rate), "float16", spec, row))
    taps.append(TapInfo("output", 3, (64, 64), 64.0))
    facts = NetworkFacts(
        ref="tiny-r", name="tiny-r", kind="alias-free", config_name="R", z_dim=16, c_dim=0, w_dim=32, num_ws=12, resolution=64,
        has_pose=True, has_noise=False, taps=tuple(taps), parameters=239_997, device="cpu", path="/networks/tiny-r.safetensors",
        sha256="0123456789abcdef" * 4, size_bytes=976_000, modified_ns=1_700_000_000_000_000_000, metadata={"licence": "Apache-2.0"},
    )  # fmt: skip
    return replace(facts, **changes)


def stylegan2_facts(**changes: Any) -> NetworkFacts:
    """A network with noise, without a grid, with classes."""
    sizes = (4, 8, 16)
    taps = (*(TapInfo(f"b{n}.conv1", 32, (n, n), float(n), row=i) for i, n in enumerate(sizes)), TapInfo("output", 3, (16, 16), 16.0))
    facts = NetworkFacts(
        ref="tiny-sg2", name="tiny-sg2", kind="stylegan2", config_name="A", z_dim=16, c_dim=5, w_dim=32, num_ws=6, resolution=16,
        has_pose=False, has_noise=True, taps=taps, parameters=1000, device="cuda:0",
    )  # fmt: skip
    return replace(facts, **changes)


def frame_of(facts: NetworkFacts, view: ViewState = DEFAULT, **changes: Any) -> Frame:
    size = facts.resolution
    values = np.zeros((size, size, 3), np.float32)
    frame = Frame(
        RenderRequest(1, view),
        picture=Picture(values, (0, 0, size, size), "output", (0, 1, 2), 3),
        statistics_all=Statistics(0.1, 0.5, 1.0), statistics_shown=Statistics(-0.2, 0.25, 0.75, 3), network=facts,
        learned_pose=(0.0, 1.0, 0.125, -0.25) if facts.has_pose else None, seeds=((3, 0.75), (4, 0.25)),
        ran=("latent", "synthesis"), layers_ran=("L8_84_64", "output"), memory_bytes=3 << 20,
        timing=Timing((("latent", 0.001), ("synthesis", 0.04)), 0.041),
    )  # fmt: skip
    return replace(frame, **changes)


def spectrum_of(size: int = 64, **changes: Any) -> SpectrumResult:
    """A flat spectrum, with one strong bin at 5 cycles to the right and 3 up (if there is room)."""
    power = np.ones((size, size), np.float32)
    power[size // 2 - 3 : size // 2 - 2, size // 2 + 5 : size // 2 + 6] = 1000.0
    axis = np.arange(size, dtype=np.float32) - size // 2
    result = SpectrumResult(power, float(power.mean()), axis, "output", cutoff=size / 4, stopband=size / 3, nyquist=size / 2)
    return replace(result, **changes)


def error_frame() -> Frame:
    return Frame(RenderRequest(2, ViewState()), error=RenderError("synthesis", "Out of memory.", "Choose a smaller network."))


class Shown:
    """A panel on show. `state` is what it returned last; `commands` what it has emitted."""

    def __init__(self, panel: Panel, state: ViewState, context: PanelContext) -> None:
        self.panel, self.state, self.context = panel, state, context
        self.ui: Driver  # set by `show`
        self.changed_frames = 0
        self.size_em = SIZE_EM

    @property
    def commands(self) -> list[Any]:
        return self.context.commands

    def draw(self) -> None:
        em = imgui.get_font_size()
        self.context.em = em
        imgui.set_next_window_pos((0, 0))
        imgui.set_next_window_size((self.size_em[0] * em, self.size_em[1] * em))
        imgui.begin(self.panel.title)
        try:
            before = self.state
            self.state = self.panel.draw(self.state, self.context)
            self.changed_frames += self.state is not before
        finally:
            imgui.end()


@contextmanager
def show(module: str | Panel, state: ViewState = DEFAULT, **context: Any) -> Iterator[Shown]:
    """Draws the panel of `viz.panels.<module>`; `network=` gets a frame of its own unless `frame=` is given."""
    panel = module if isinstance(module, Panel) else importlib.import_module(f"viz.panels.{module}").PANEL
    if context.get("network") is not None and "frame" not in context:
        context["frame"] = frame_of(context["network"])
    shown = Shown(panel, state, PanelContext(**context))
    with Driver(shown.draw, size=(1280, 1200)) as ui:
        shown.ui = ui
        ui.frames(3)
        yield shown

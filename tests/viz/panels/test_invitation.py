"""What is switched off says what it would show, where it would, and the button there starts it."""

import importlib
import pkgutil

import pytest

import viz.analysis
import viz.state
from gui_utils.controls import Field
from tests.viz.panels.shown import alias_free_facts, frame_of, show
from viz.panels import discover
from viz.panels.invitation import wrapped
from viz.state import Tap, ViewState

FACTS = alias_free_facts()
MODULES = [importlib.import_module(f"viz.analysis.{info.name}") for info in pkgutil.iter_modules(viz.analysis.__path__)]
SWITCHES = {m.PANEL.title: m.ON.id for m in MODULES if hasattr(m, "PANEL") and isinstance(getattr(m, "ON", None), Field)}
ELSEWHERE = {"Inversion"}  # begins with a picture
PANELS = {panel.title: panel for panel in discover()}
STARTS = {title: switch for title, switch in {**SWITCHES, "Spectrum": "Spectrum.on"}.items() if title not in ELSEWHERE}


def test_every_measurement_is_here():
    assert len(STARTS) == 18, sorted(STARTS)


@pytest.mark.parametrize("title", sorted(STARTS))
def test_the_button_starts_it_and_goes(title):
    switch = STARTS[title]
    group, name = switch.split(".")
    view = ViewState().edit(Tap, layer="L5_84_96")
    with show(PANELS[title], view, network=FACTS, frame=frame_of(FACTS, view)) as shown:
        button, below = shown.ui.item(f"{switch}.start"), shown.ui.item(switch)
        assert button.top > below.bottom and not button.disabled
        shown.ui.click(f"{switch}.start")
        assert getattr(shown.state.get(getattr(viz.state, group)), name)
        shown.ui.frames(2)
        assert not shown.ui.exists(f"{switch}.start")
    with show(PANELS[title], view, network=None, frame=None) as shown:
        assert not shown.ui.exists(f"{switch}.start") or title == "Spectrum"


def test_lines_are_as_long_as_words_allow():
    assert wrapped("one two three", 7, len) == ["one two", "three"]
    assert wrapped("unbreakable it is", 4, len) == ["unbreakable", "it", "is"]

"""The network panel: opening by text, by name and from the recent ones; details, progress, a file that changed."""

from tests.viz.panels.shown import alias_free_facts, show
from tests.viz.panels.test_every_panel import Entry
from viz import commands
from viz.panels.network import detail_rows, entry_help
from viz.request import Progress
from viz.settings import Settings
from viz.state import Source, ViewState

R = alias_free_facts()
STATE = ViewState().edit(Source, network="tiny-r")


def test_typing_a_reference_opens_it_once():
    with show("network", STATE, network=R) as shown:
        shown.ui.set("Source.network", "/data/other.pkl")
        shown.ui.frames(5)
        assert shown.commands == [commands.OpenNetwork("/data/other.pkl")]


def test_nothing_is_opened_by_typing_nothing():
    with show("network", STATE, network=R) as shown:
        shown.ui.set("Source.network", " ")
        shown.ui.set("Source.network", "tiny-r")
        assert shown.commands == []


def test_networks_by_name_and_recent_ones():
    entries = (Entry("tiny-r", "bundled", 976_000), Entry("big", "published"))
    with show("network", STATE, network=R, catalogue=entries, settings=Settings(recent=("tiny-r", "/a/b/c.pkl"))) as shown:
        shown.ui.click("Published")
        shown.ui.click("Network.big")
        shown.ui.click("Network.recent.0")
        assert shown.commands == [commands.OpenNetwork("big"), commands.OpenNetwork("/a/b/c.pkl")]


def test_an_entry_says_its_size_and_its_licence():
    text = entry_help(Entry("big", "published", licence="research only"))
    assert "Licence: research only" in text and "Size: unknown before the download" in text
    assert "953.1 KiB" in entry_help(Entry("tiny-r", "bundled", 976_000))


def test_open_reload_and_copy():
    with show("network", STATE, network=R) as shown:
        for name in ("Network.open", "Network.reload", "Network.copy_hash"):
            shown.ui.click(name)
        assert shown.commands == [commands.OpenFile(), commands.ReloadNetwork(), commands.CopyText(R.sha256)]
    with show("network") as shown:
        assert shown.ui.item("Network.reload").disabled


def test_loading_can_be_cancelled():
    with show("network", progress=Progress("Downloading", 0.5, can_cancel=True)) as shown:
        shown.ui.click("progress.cancel")
        assert shown.commands == [commands.CancelLoad()]


def test_details():
    rows = {field.label: text for field, text in detail_rows(R)}
    assert rows["Picture"] == "64 × 64 px"
    assert rows["Parameters"] == "239 997"
    assert rows["z, c, w"] == "16, —, 32"
    assert rows["File"] == "tiny-r.safetensors"
    assert rows["Configuration"] == "R, alias-free"


def test_what_is_not_known_is_a_dash():
    rows = {field.label: text for field, text in detail_rows(alias_free_facts(path="", size_bytes=0, modified_ns=0))}
    assert rows["File"] == rows["Size"] == rows["Changed"] == "—"

"""A layout from elsewhere: what Dear ImGui wrote comes back, anything else is refused before Dear ImGui sees it."""

import re

import pytest
from hypothesis import given, settings, strategies as st

from gui_utils import layout_text
from gui_utils.layout import Arrangement
from gui_utils.layout_text import LayoutError, usable

DESK = Arrangement("desk", {"Picture": "centre", "Latent": "left", "Pose": "left.lower", "Layers": "right", "Channels": "right"})
OTHER = Arrangement("other", {"Picture": "centre"})
TEXT = f"""[Window][desk.Picture]
Pos=337,24
Size=542,752
Collapsed=0
DockId=0x00000003,0
LastUsed=20261122

[Window][desk.Latent]
Pos=0,24
Size=335,375
Collapsed=0
DockId=0x00000005,0

[Window][desk.Layers]
Pos=60,-6
Size=400,400
Collapsed=0

[Window][Debug##Default]
Pos=60,60
Size=400,400
Collapsed=0

[Docking][Data]
DockSpace       ID={DESK.dock_id:#010X} Window=0x1BBC0F80 Pos=0,24 Size=1280,752 Split=X
  DockNode      ID=0x00000001 Parent={DESK.dock_id:#010X} SizeRef=335,800 Split=Y
    DockNode    ID=0x00000005 Parent=0x00000001 SizeRef=335,399 Selected=0x341280F1
    DockNode    ID=0x00000006 Parent=0x00000001 SizeRef=335,399 Selected=0x5CA0B3DD
  DockNode      ID=0x00000003 Parent={DESK.dock_id:#010X} SizeRef=542,800 CentralNode=1 NoTabBar=1 Selected=0x3A47A744

[TestEngine][Data]
FilterTests=
VideoCaptureExtension=.mp4
""".replace("0X", "0x")


def test_what_is_ours_is_kept_and_nothing_else():
    kept = usable(TEXT, (DESK, OTHER))
    assert "[Window][desk.Picture]\nPos=337,24\nSize=542,752\nCollapsed=0\nDockId=0x00000003,0" in kept
    assert "Debug" not in kept and "TestEngine" not in kept and kept.count("DockNode ") == 4
    assert usable(kept, (DESK, OTHER)) == kept


def test_the_same_text_is_read_once(monkeypatch):
    text, read = TEXT.replace("60,-6", "60,-7"), []
    monkeypatch.setattr(layout_text, "_node", lambda line, node=layout_text._node: (read.append(line), node(line))[1])
    assert [usable(text, (DESK, OTHER)) for _ in range(3)] == [usable(TEXT, (DESK, OTHER)).replace("60,-6", "60,-7")] * 3
    assert len(read) == 2 * 5


def test_panels_that_it_does_not_know_stand_beside_their_neighbours():
    kept = usable(TEXT, (DESK, OTHER))
    assert re.search(r"\[Window\]\[desk.Pose\]\nDockId=0x00000005", kept)  # the lower left has nobody: the left has
    assert "desk.Channels" not in kept  # Layers was torn off, so the right side is gone: the place is Dear ImGui's to choose
    assert "other." not in kept  # a workspace that was never shown is built when it is


@pytest.mark.parametrize("text", ["", "[Window][desk.Picture]\nPos=1,2\n", "nothing of the kind", "[Docking][Data]\n"])
def test_without_places_there_is_nothing_to_use(text):
    assert usable(text, (DESK,)) == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("Parent=0x00000001 SizeRef=335,399 Selected=0x341280F1", "Parent=0x00000009 SizeRef=335,399", "0x5 does not fit in"),
        ("ID=0x00000006", "ID=0x00000005", "does not fit in"),
        (" Split=Y", "", "0x1 is not divided"),
        ("  DockNode      ID=0x00000003", "  DockNode      ID=0x0000000A", "desk.Picture stands in 0x3"),
        ("DockId=0x00000005,0", "DockId=0x00000001,0", "desk.Latent stands in 0x1"),
        ("Split=X", "Split=1", "not understood"),
        ("Size=1280,752", "Size=1280,75200", "beyond any screen"),
        ("SizeRef=542,800", "SizeRef=542", "not understood"),
        ("Pos=337,24", "Pos=337,24 rm -rf", "not understood"),
        ("DockSpace ", "DockHouse ", "not understood"),
        ("Collapsed=0", "Collapsed=\0", "not understood"),
    ],
)
def test_what_dear_imgui_would_not_have_written_is_refused(old, new, said):
    assert old in TEXT
    with pytest.raises(LayoutError, match=said):
        usable(TEXT.replace(old, new), (DESK,))


def test_size_is_bounded():
    with pytest.raises(LayoutError, match="too long"):
        usable("\n" * (1 << 20), (DESK,))
    nodes = "".join(f"DockNode ID=0x{i:08X} Pos=0,0 Size=9,9\n" for i in range(1, 2000))
    with pytest.raises(LayoutError, match="too many"):
        usable("[Docking][Data]\n" + nodes, (DESK,))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(TEXT) - 1), st.integers(0, 40), st.text(alphabet="0x,=XYDockNe \n[]9", max_size=8))
def test_a_damaged_text_is_refused_or_whole(at, gone, put):
    """Whatever passes is a forest whose every node has a place, and windows stand in its leaves."""
    try:
        kept = usable(TEXT[:at] + put + TEXT[at + gone :], (DESK, OTHER))
    except LayoutError:
        return
    ids = re.findall(r"Dock\w+\s+ID=(\S+)", kept)
    parents = re.findall(r"Parent=(\S+)", kept)
    assert len(set(ids)) == len(ids) and {int(p, 0) for p in parents} <= {int(i, 0) for i in ids} | {0}
    assert all(parents.count(p) == 2 for p in parents)
    assert {int(d, 0) for d in re.findall(r"DockId=(\w+)", kept)} <= {int(i, 0) for i in ids} | {0}

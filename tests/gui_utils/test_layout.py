"""Arrangements: windows stand where they are told, and stay where the user put them, in each arrangement by itself."""

import pytest

from gui_utils import layout
from gui_utils.layout import Arrangement, dock_area, docked_window, picture_window
from gui_utils.libraries import imgui
from gui_utils.window import Window, WindowOptions
from tests.drive import Driver

EXPLORE = Arrangement("explore", {"Picture": "centre", "Latent": "left", "Pose": "left.lower", "Layers": "right", "Channels": "right",
                                  "Slice": "bottom"})  # fmt: skip
SPECTRA = Arrangement("spectra", {"Picture": "centre", "Spectrum": "bottom"})


class Desk:
    def __init__(self) -> None:
        self.current, self.reset, self.built = EXPLORE, False, 0
        self.places: dict[str, tuple[float, float, float, float]] = {}
        self.visible: dict[str, bool] = {}

    def draw(self) -> None:
        with layout.top_bar() as shown:
            if shown:
                imgui.text("top")
        with layout.status_line() as shown:
            if shown:
                imgui.text("bottom")
        self.built += dock_area(self.current, (EXPLORE, SPECTRA), reset=self.reset)
        self.reset = False
        self.places, self.visible = {}, {}
        for title, region in reversed(self.current.windows.items()):  # the order of drawing decides nothing
            with (picture_window if region == "centre" else docked_window)(self.current, title) as visible:
                at, size = imgui.get_window_pos(), imgui.get_window_size()
                self.places[title] = (at.x, at.y, at.x + size.x, at.y + size.y)
                self.visible[title] = visible


def test_regions_lie_where_their_names_say_and_fill_the_window():
    desk = Desk()
    with Driver(desk.draw, size=(1280, 720)) as ui:
        ui.frames(4)
    p = desk.places
    assert p["Latent"][2] <= p["Picture"][0] and p["Picture"][2] <= p["Layers"][0]
    assert p["Latent"][3] <= p["Pose"][1] and p["Picture"][3] <= p["Slice"][1]
    assert p["Layers"] == p["Channels"]
    assert p["Slice"][0] == p["Picture"][0] and p["Slice"][2] == p["Picture"][2]
    assert p["Latent"][0] == 0 and p["Layers"][2] == 1280
    assert 0 < p["Picture"][1] < 40 and 680 < p["Slice"][3] < 720  # between the two bars
    assert p["Picture"][2] - p["Picture"][0] > 400  # usable at this size


def test_where_there_is_little_room_both_sides_give_way_and_tabs_that_do_not_fit_are_listed():
    """A third of 1920 px: as if the font were three times as large."""
    desk = Desk()
    titles = ("Layers", "Channels", "Fourier input", "Out of band", "Nonlinearity")
    desk.current = Arrangement("narrow", {"Picture": "centre", "Latent": "left", **dict.fromkeys(titles, "right")}, 20.0, 30.0)
    with Driver(desk.draw, size=(640, 400)) as ui:
        ui.frames(6)
        listed = {}
        for title in ("Latent", "Layers"):
            node = imgui.internal.find_window_by_name(desk.current.window_name(title)).dock_node
            listed[title] = not node.local_flags & imgui.internal.DockNodeFlagsPrivate_.no_window_menu_button.value
    p = desk.places
    left, middle, right = (p[title][2] - p[title][0] for title in ("Latent", "Picture", "Layers"))
    assert abs(left - right) <= 4 and middle >= 0.29 * 640
    assert listed == {"Latent": False, "Layers": True}


def test_a_tab_that_is_brought_to_the_front_is_seen_in_its_row():
    """It was chosen where it was hidden: no tab of the row was lit."""
    desk = Desk()
    titles = ("Layers", "Channels", "Fourier input", "Out of band", "Nonlinearity")
    desk.current = Arrangement("narrow", {"Picture": "centre", "Latent": "left", **dict.fromkeys(titles, "right")}, 20.0, 30.0)
    with Driver(desk.draw, size=(640, 400)) as ui:
        ui.frames(6)
        bar = imgui.internal.find_window_by_name(desk.current.window_name("Layers")).dock_node.tab_bar
        for title, hidden in (("Nonlinearity", bar.width_all_tabs - bar.bar_rect.get_width()), ("Layers", 0.0)):
            layout.bring_to_front(desk.current, title)
            ui.frames(30)
            assert desk.visible[title] and (bar.scrolling_anim >= hidden > 0 or bar.scrolling_anim == hidden == 0)


def test_the_first_window_of_a_region_is_in_front():
    desk = Desk()
    with Driver(desk.draw) as ui:
        ui.frames(6)
        assert desk.visible["Layers"] and not desk.visible["Channels"]
        ui.click("//**/###explore.Channels")
        ui.frames(2)
    assert desk.visible["Channels"] and not desk.visible["Layers"]


def test_tabs_stand_in_the_order_of_the_arrangement():
    desk = Desk()
    with Driver(desk.draw) as ui:
        ui.frames(6)
        first, second = (ui.item(f"//**/###explore.{title}") for title in ("Layers", "Channels"))
    assert first.right <= second.left


def test_it_is_built_once_and_again_on_reset():
    desk = Desk()
    with Driver(desk.draw) as ui:
        ui.frames(5)
        assert desk.built == 1
        desk.reset = True
        ui.frames(3)
    assert desk.built == 2


def moved_splitter(ui: Driver, desk: Desk) -> float:
    """Drag the edge between the left side and the picture; returns the new edge."""
    edge = desk.places["Picture"][0]
    ui.drag((edge - 1, 300), (edge + 80, 300))
    ui.frames(2)
    return desk.places["Picture"][0]


def test_each_arrangement_remembers_its_own_changes():
    desk = Desk()
    with Driver(desk.draw) as ui:
        ui.frames(4)
        before = desk.places["Picture"][0]
        edge = moved_splitter(ui, desk)
        assert edge > before + 50
        desk.current = SPECTRA
        ui.frames(4)
        assert desk.places["Picture"][0] == 0
        desk.current = EXPLORE
        ui.frames(4)
        assert desk.places["Picture"][0] == edge
        desk.reset = True
        ui.frames(4)
    assert desk.places["Picture"][0] == before


@pytest.mark.window
def test_changes_survive_a_restart_through_the_layout_file(tmp_path):
    options = WindowOptions(headless=True, size=(1280, 720), ini_path=tmp_path / "settings" / "layout.ini")
    desk = Desk()
    with Window(options) as window:
        assert not window.had_layout
        with Driver(desk.draw, window=window) as ui:
            ui.frames(4)
            edge = moved_splitter(ui, desk)
    again = Desk()
    with Window(options) as window:
        assert window.had_layout
        with Driver(again.draw, window=window) as ui:
            ui.frames(4)
    assert again.built == 0 and again.places["Picture"][0] == edge
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["layout.ini"]


@pytest.mark.window
def test_panels_go_with_the_font_and_come_back_with_it(tmp_path):
    """Also those of an arrangement that is not on screen, those that the user has moved, and over a restart; the middle keeps its part."""
    options = WindowOptions(headless=True, size=(1280, 720), ini_path=tmp_path / "layout.ini")
    desk = Desk()

    def widths(ui: Driver) -> tuple[float, ...]:
        ui.frames(4)
        return tuple(desk.places[title][2] - desk.places[title][0] for title in ("Latent", "Picture", "Layers"))

    with Window(options) as window, Driver(desk.draw, window=window) as ui:
        ui.frames(4)
        moved_splitter(ui, desk)
        usual = widths(ui)
        desk.current = SPECTRA
        ui.frames(4)
        strip = desk.places["Spectrum"][3] - desk.places["Spectrum"][1]
        window.font_scale = 0.8
        ui.frames(4)
        assert desk.places["Spectrum"][3] - desk.places["Spectrum"][1] == pytest.approx(0.8 * strip, abs=2)
        desk.current = EXPLORE
        small = widths(ui)
        assert small[0] == pytest.approx(0.8 * usual[0], abs=2) and small[2] == pytest.approx(0.8 * usual[2], abs=2)
        window.font_scale = 2.0
        large = widths(ui)
        assert large[1] >= 0.29 * 1280 and large[0] == pytest.approx(large[2], abs=4)
        window.font_scale = 1.0
        assert widths(ui) == pytest.approx(usual, abs=2)
        window.font_scale = 0.8
        assert widths(ui) == pytest.approx(small, abs=2)
    desk = Desk()
    with Window(options) as window, Driver(desk.draw, window=window) as ui:
        assert widths(ui) == pytest.approx(usual, abs=4) and not desk.built


def widths_of(desk: Desk, ui: Driver) -> tuple[float, ...]:
    ui.frames(4)
    return tuple(desk.places[title][2] - desk.places[title][0] for title in ("Latent", "Picture", "Layers"))


@pytest.mark.window
def test_a_window_that_shrinks_leaves_the_picture_its_part_and_one_that_grows_gives_back():
    """The sides kept their widths, and the picture was a column of 50 pixels."""
    desk = Desk()
    with Window(WindowOptions(headless=True, size=(1600, 900))) as window, Driver(desk.draw, window=window) as ui:
        usual = widths_of(desk, ui)
        desk.current = SPECTRA
        ui.frames(4)
        desk.current = EXPLORE
        window.resize((640, 480))
        small = widths_of(desk, ui)
        assert small[1] >= 0.29 * 640 and small[0] == pytest.approx(small[2], abs=4)
        room = desk.places["Slice"][3] - desk.places["Picture"][1]
        assert desk.places["Picture"][3] - desk.places["Picture"][1] >= 0.5 * room
        desk.current = SPECTRA  # not on screen while the window shrank
        ui.frames(4)
        assert desk.places["Picture"][3] - desk.places["Picture"][1] >= 0.5 * room
        desk.current = EXPLORE
        ui.frames(4)
        edge = moved_splitter(ui, desk)  # what the user moves meanwhile counts
        window.resize((1600, 900))
        large = widths_of(desk, ui)
    assert large[2] == usual[2] and large[0] == pytest.approx(edge, abs=4)


@pytest.mark.window
def test_panels_built_or_saved_in_a_small_window_have_their_widths_in_a_large_one(tmp_path):
    options = WindowOptions(headless=True, size=(640, 480), ini_path=tmp_path / "layout.ini")
    em, widths = 16, (EXPLORE.left_em, EXPLORE.right_em)
    for restarted in (False, True):
        desk = Desk()
        with Window(options) as window, Driver(desk.draw, window=window) as ui:
            small = widths_of(desk, ui)
            assert small[1] >= 0.29 * 640
            if restarted:
                window.resize((1600, 900))
                large = widths_of(desk, ui)
                assert (large[0] / em, large[2] / em) == pytest.approx(widths, abs=0.3)


def test_an_unknown_region_is_refused_by_name():
    with pytest.raises(ValueError, match="window 'A' is in 'top'"):
        Arrangement("x", {"A": "top"})

"""The timeline panel: keyframes, playhead, ready-made paths, export; driven like a person would."""

import dataclasses
from pathlib import Path

import pytest

from gui_utils.libraries import imgui
from tests.viz.panels.shown import alias_free_facts, show
from viz import commands
from viz.export.film import Film
from viz.export.options import ExportOptions, ExportProgress
from viz.panels import export_rows, timeline
from viz.panels.timeline_strip import EDGE_EM, keyframe_at, ruler_step
from viz.state import Pose, RotateMotion, View, ViewState
from viz.timeline import paths
from viz.timeline.timeline import Keyframe, Timeline

R = alias_free_facts()
START, END = ViewState(), ViewState().edit(Pose, x=0.2)
LINE = Timeline((Keyframe(0.0, START), Keyframe(2.0, END)))


def inside(item):
    """(left, width, middle) of the part of the strip that stands for time."""
    edge = EDGE_EM * imgui.get_font_size()
    return item.left + edge, item.right - item.left - edge, item.center[1]


def showing(line=LINE, **film):
    return show("timeline", network=R, film=Film(line, **film))


def test_a_keyframe_is_added_at_the_playhead_with_what_is_on_screen():
    with showing(Timeline()) as shown:
        shown.ui.click("Timeline.add")
        shown.context.film.time_s, shown.state = 1.5, END
        shown.ui.click("Timeline.add")
        assert shown.context.film.timeline.keyframes == (Keyframe(0.0, START), Keyframe(1.5, END))
        assert shown.context.film.selected == 1


def test_keyframes_are_copied_deleted_and_brought_back():
    with showing(time_s=3.0) as shown:
        film = shown.context.film
        shown.ui.click("Timeline.duplicate")
        assert [k.time_s for k in film.timeline.keyframes] == [0.0, 2.0, 3.0]
        shown.ui.click("Timeline.delete")
        assert [k.time_s for k in film.timeline.keyframes] == [2.0, 3.0]
        shown.ui.click("Timeline.undo")
        shown.ui.click("Timeline.undo")
        assert film.timeline == LINE
        shown.ui.click("Timeline.redo")
        assert [k.time_s for k in film.timeline.keyframes] == [0.0, 2.0, 3.0]


def test_the_playhead_is_dragged_over_the_strip():
    with showing() as shown:
        item = shown.ui.item("Timeline.strip")
        left, width, y = inside(item)
        shown.ui.drag((left + width * 0.1, y), (left + width * 0.25, y))
        assert shown.context.film.time_s == pytest.approx(1.0, abs=0.04)
        assert shown.state.get(Pose).x == pytest.approx(0.1, abs=0.004)
        assert shown.context.film.timeline == LINE


def test_a_keyframe_is_dragged_over_the_strip_as_one_step():
    with showing() as shown:
        film, item = shown.context.film, shown.ui.item("Timeline.strip")
        left, width, y = inside(item)
        shown.ui.drag((left + width * 0.5, y), (left + width * 0.75, y), steps=6)
        assert [k.time_s for k in film.timeline.keyframes] == [0.0, pytest.approx(3.0, abs=0.04)] and film.selected == 1
        shown.ui.click("Timeline.undo")
        assert film.timeline == LINE


def test_easing_and_time_are_set_for_the_selected_keyframe():
    with showing() as shown:
        shown.ui.choose("Timeline.easing", "spline")
        shown.ui.click("Timeline.short_way")
        shown.ui.set("Timeline.time", 2.5)
        film = shown.context.film
        assert film.timeline.keyframes[1] == Keyframe(2.5, START, "spline", short_way=False) and film.selected == 1


def test_a_ready_made_path_takes_the_timelines_place():
    with showing() as shown:
        shown.ui.choose("Timeline.preset", "rotate")
        assert shown.context.film.timeline == paths.ready_made("rotate", START, 4.0, 30.0)


def test_playing_moves_the_view_and_stops_at_the_end():
    film = Film(LINE)
    with_zoom = START.edit(View, zoom=3.0).edit(RotateMotion, on=True)
    film.play()
    state = film.advance(with_zoom, 0.5)
    assert state.get(Pose).x == pytest.approx(0.05) and state.get(View).zoom == 3.0 and not state.get(RotateMotion).on
    assert film.advance(state, 9.0).get(Pose).x == 0.2 and not film.playing and film.time_s == 2.0
    assert film.advance(state, 1.0) is state
    film.play(backwards=True)
    assert film.advance(state, 0.5).get(Pose).x == pytest.approx(0.15)
    film.play()
    film.timeline = Timeline(LINE.keyframes, loop=True)
    assert film.advance(state, 1.0).get(Pose).x == pytest.approx(0.05) and film.playing


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("beyond", [2.0, 3.5])
def test_play_begins_where_something_can_still_be_played(beyond, backwards):
    """Also where the playhead stands beyond the end, as after the last keyframe was deleted."""
    start, end = ViewState(), ViewState().edit(Pose, x=0.5).edit(View, zoom=2.0)
    film = Film(Timeline((Keyframe(0.0, start), Keyframe(2.0, end))), time_s=beyond)
    film.play(backwards=backwards)
    view = film.advance(ViewState().edit(View, zoom=8.0), 0.5)
    assert film.playing and film.time_s == (1.5 if backwards else 0.5) and view.get(View).zoom < 2, "the timeline moves the zoom"
    film.advance(view, 9.0)
    assert not film.playing and film.time_s == (0.0 if backwards else 2.0)
    film.timeline, film.time_s = Timeline((Keyframe(0.0, start),), loop=True), 0.0
    film.play(backwards=backwards)
    film.advance(view, 0.5)
    assert not film.playing, "one moment is no loop"
    empty = Film(time_s=beyond)
    empty.play(backwards=backwards)
    assert (empty.playing, empty.time_s) == (False, beyond)


def test_the_selection_follows_its_keyframe_and_stays_among_those_there_are():
    first, second, third = (Keyframe(float(t), ViewState().edit(Pose, x=t / 10)) for t in range(3))
    film = Film(Timeline((first, second, third)), selected=2)
    film.edit(Timeline((third,)))
    assert film.selected == 0
    film.edit(Timeline((first, second, third)))
    assert film.selected == 2
    film.edit(Timeline((first, second)))
    assert film.selected == 1
    film.edit(Timeline())
    assert film.selected == 0


def test_buttons_play_and_stop():
    with showing() as shown:
        shown.ui.click("Timeline.play")
        assert shown.context.film.playing
        shown.ui.click("Timeline.backwards")
        assert shown.context.film.backwards
        shown.ui.click("Timeline.backwards")
        assert not shown.context.film.playing


def test_export_asks_for_the_film_with_the_settings_chosen():
    with showing() as shown:
        shown.ui.choose("Export.kind", "mp4 lossless")
        shown.ui.choose("Export.size", 2)
        shown.ui.click("Export.start")
        (command,) = shown.commands
        assert isinstance(command, commands.StartExport) and (command.kind, command.size, command.lossless) == ("mp4", 2, True)
        assert command.session.timeline == LINE


def test_a_film_of_a_small_network_is_enlarged_unless_another_size_is_chosen():
    with showing() as shown:
        shown.context.network = alias_free_facts()
        shown.ui.frames(2)
        shown.ui.click("Export.start")
        assert shown.commands[-1].size == 4  # 256 pixels
        shown.context.network = alias_free_facts(resolution=1024)
        shown.ui.frames(2)
        shown.ui.click("Export.start")
        assert shown.commands[-1].size == 1
        shown.ui.choose("Export.size", 2)
        shown.context.network = alias_free_facts()
        shown.ui.frames(2)
        shown.ui.click("Export.start")
        assert shown.commands[-1].size == 2
    assert export_rows.usual_size(0) == 1


class Job:
    """A job half done."""

    running, progress = True, ExportProgress(3, 9, 1.0, 62.0)


def test_an_export_shows_its_progress_and_can_be_cancelled():
    with showing(job=Job()) as shown:
        assert not shown.ui.exists("Export.start")
        shown.ui.click("Export.cancel")
        assert shown.commands == [commands.CancelExport()]


def test_without_keyframes_nothing_can_be_exported():
    with showing(Timeline()) as shown:
        assert shown.ui.item("Export.start").disabled and shown.ui.item("Timeline.play").disabled


@pytest.mark.parametrize(("least", "step"), [(0.03, 0.05), (0.5, 0.5), (0.7, 1.0), (12.0, 20.0)])
def test_the_ruler_counts_in_round_numbers(least, step):
    assert ruler_step(least) == pytest.approx(step)


def test_the_nearest_keyframe_within_reach_is_taken():
    film = Film(Timeline((Keyframe(0.0, START), Keyframe(0.1, END))))
    assert (keyframe_at(film, 0.08, 0.1), keyframe_at(film, 0.02, 0.1), keyframe_at(film, 1.0, 0.1)) == (1, 0, None)


def test_what_is_filmed_is_chosen_and_what_cannot_be_says_why():
    with showing() as shown:
        shown.ui.choose("Export.what", "overlay")
        assert shown.ui.item("Export.start").disabled  # nothing lies over the picture
        shown.ui.choose("Export.what", "window")
        shown.ui.choose("Export.kind", "exr")
        assert shown.ui.item("Export.start").disabled  # a window has colours only
        shown.ui.choose("Export.kind", "gif")
        shown.ui.set("Export.width", 1280)
        shown.ui.click("Export.start")
        (command,) = shown.commands
        assert (command.what, command.kind, command.window) == ("window", "gif", (1280, 900))


def test_a_stopped_export_goes_on_or_is_given_up():
    stopped = Job()
    stopped.running, stopped.options = False, ExportOptions(Path("00001.mp4"))
    with showing(stopped=stopped) as shown:
        shown.ui.click("Export.resume")
        shown.ui.click("Export.discard")
        assert shown.commands == [commands.ResumeExport(), commands.DiscardExport()]


def test_the_way_back_of_a_loop_is_in_seconds():
    with showing(dataclasses.replace(LINE, loop=True, closing_s=0.5)) as shown:
        assert shown.ui.exists("Timeline.closing_s") and timeline.CLOSING.unit == "s", "its hover says: unit: s"


def test_a_timeline_that_is_undone_under_a_drag_ends_it():
    with showing() as shown:
        film, item = shown.context.film, shown.ui.item("Timeline.strip")
        left, width, y = inside(item)

        def drag(context):
            context.mouse_move_to_pos((left, y))
            context.mouse_down()
            film.edit(Timeline())
            context.mouse_move_to_pos((left + width * 0.3, y))
            context.mouse_up()

        shown.ui.run(drag)
        assert not film.timeline.keyframes and film.time_s > 0

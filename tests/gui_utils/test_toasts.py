"""Messages: copied, closed, aged, counted; progress with cancel."""

import pytest

from gui_utils.libraries import imgui
from gui_utils.toasts import SHOWN_S, Log, Toasts, log_view, progress_bar
from tests.drive import Driver


def test_the_log_counts_what_repeats_and_refuses_unknown_levels():
    log = Log()
    for text in ("a", "a", "a", "b", "a"):
        log.add("error", text, "details of " + text)
    assert [(e.text, e.count) for e in log.entries] == [("a", 3), ("b", 1), ("a", 1)]
    assert log.text().startswith("[error] a\n\ndetails of a (×3)\n")
    with pytest.raises(ValueError, match="'fatal'"):
        log.add("fatal", "x")


def test_the_log_is_bounded():
    log = Log()
    for i in range(3000):
        log.add("info", str(i))
    assert len(log.entries) == 1000 and log.entries[-1].text == "2999"


def test_infos_vanish_errors_stay_until_closed_and_the_log_keeps_both():
    toasts = Toasts()
    toasts.add("info", "Saved.")
    toasts.add("error", "Out of memory.", "Traceback")
    with Driver(lambda: toasts.draw(0.5)) as ui:
        assert toasts.animating
        ui.frames(int(SHOWN_S["info"] / 0.5) + 2)
        assert toasts.texts == ("Out of memory.",) and not toasts.animating
        ui.click("toast.copy")
        assert imgui.get_clipboard_text() == "Out of memory.\n\nTraceback"
        ui.click("toast.close")
        ui.frames(1)
    assert toasts.texts == () and [e.text for e in toasts.log.entries] == ["Saved.", "Out of memory."]


def test_a_toast_under_the_mouse_does_not_age():
    toasts = Toasts()
    toasts.add("info", "Saved.")
    step = [0.0]
    with Driver(lambda: toasts.draw(step[0])) as ui:
        ui.frames(3)
        ui.hover("toast.copy")
        step[0] = 1.0
        ui.frames(20)
        assert toasts.texts == ("Saved.",)
        ui.hover((10, 10))
    assert toasts.texts == ()


def test_the_same_message_is_one_toast_and_there_are_few_at_once():
    toasts = Toasts()
    for _ in range(5):
        toasts.add("error", "Again.")
    assert toasts.texts == ("Again.",) and toasts.log.entries[-1].count == 5
    for i in range(10):
        toasts.add("info", f"number {i}")
    assert toasts.texts == ("number 6", "number 7", "number 8", "number 9")
    assert toasts.close_newest() and toasts.texts[-1] == "number 8"


def test_percent_signs_are_text():
    toasts = Toasts()
    toasts.add("error", "100 %s %d %n done")

    def draw() -> None:
        toasts.draw(0.1)
        imgui.begin("Log")
        if read:
            imgui.log_to_clipboard()
        log_view(toasts.log)
        imgui.log_finish()
        imgui.end()

    read: list[bool] = []
    with Driver(draw) as ui:
        ui.frames(5)
        read.append(True)
        ui.frames(1)
        read.clear()
        assert "100 %s %d %n done" in imgui.get_clipboard_text()  # as they stand on screen, neither doubled nor filled in
        ui.click("log.copy")
        assert imgui.get_clipboard_text() == "[error] 100 %s %d %n done"
        ui.click("log.clear")
    assert not toasts.log.entries


@pytest.mark.parametrize("fraction", [None, 0.3, 7.0])
def test_progress_can_be_cancelled_only_where_it_says_so(fraction):
    answers, can_cancel = [], [True]

    def draw() -> None:
        imgui.set_next_window_size((400, 100))
        imgui.begin("Work")
        answers.append(progress_bar("Loading", fraction, can_cancel=can_cancel[0]))
        imgui.end()

    with Driver(draw) as ui:
        ui.frames(2)
        ui.click("progress.cancel")
        assert sum(answers) == 1
        can_cancel[0] = False
        ui.frames(2)
        assert not ui.exists("progress.cancel")


def test_a_message_with_a_name_is_told_once_and_closed_by_it_whatever_its_words():
    toasts = Toasts()
    toasts.add("info", "Tab goes back.")
    toasts.log.entries.clear()
    toasts.add("warning", "Tab goes back.")
    toasts.add_once("info", "Tab goes back, now.", name="way back")
    assert toasts.texts[-1] == "Tab goes back, now."
    toasts.close("way back")
    toasts.log.entries.clear()
    toasts.add_once("info", "Tab goes back, in other words.", name="way back")
    assert toasts.texts == ("Tab goes back.", "Tab goes back.")

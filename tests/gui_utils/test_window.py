"""The window: sleeping and waking, sizes, layout file, screenshots, and errors that say what to do."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gui_utils import context, gl, window as window_module
from gui_utils.errors import WindowError
from gui_utils.libraries import glfw, imgui
from gui_utils.pace import SETTLE_FRAMES
from gui_utils.picture import PicturePainter
from gui_utils.texture import FloatTexture
from gui_utils.tone import PictureView, ToneMap
from gui_utils.window import Window, WindowOptions

pytestmark = pytest.mark.window
ROOT = Path(__file__).resolve().parents[2]


def settle(window: Window) -> None:
    """Draw until nothing is left to draw."""
    give_up = time.monotonic() + 20
    while window.wait(0.0):
        assert time.monotonic() < give_up
        with window.frame():
            pass
    assert not window.wait(0.0)


# ------------------------------------------------------------------------------------------------ sleeping


def test_it_draws_a_few_frames_and_then_sleeps(window):
    drawn = 0
    while window.wait(0.0) and drawn < 50:
        with window.frame():
            drawn += 1
    assert drawn == SETTLE_FRAMES


def test_wait_sleeps_its_time_when_nothing_happens(window):
    settle(window)
    before, cpu = time.monotonic(), time.process_time()
    assert not window.wait(0.3)
    assert 0.29 <= time.monotonic() - before < 5
    assert time.process_time() - cpu < 0.15  # it slept, it did not spin


def test_wake_ends_the_wait_from_another_thread(window):
    settle(window)
    thread = threading.Timer(0.1, window.wake)
    thread.start()
    before = time.monotonic()
    assert window.wait(20.0)
    assert time.monotonic() - before < 10
    thread.join()


def test_a_wake_before_the_wait_is_not_lost(window):
    settle(window)
    window.wake()
    assert window.wait(20.0)


def test_many_threads_may_wake_while_frames_are_drawn_and_after_the_end():
    stop = threading.Event()
    with Window(WindowOptions(headless=True, size=(64, 64))) as window:

        def nag() -> None:
            while not stop.is_set():
                window.wake()

        threads = [threading.Thread(target=nag) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(50):
            window.wait(1.0)
            with window.frame():
                pass
    stop.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    window.wake()


def test_while_text_is_edited_it_draws_now_and_then_for_the_caret(window):
    settle(window)
    with window.frame():
        imgui.set_keyboard_focus_here()
        imgui.input_text("name", "text")
    for _ in range(4):
        with window.frame():
            imgui.input_text("name", "text")
    assert imgui.get_io().want_text_input
    before = time.monotonic()
    assert window.wait(20.0) and time.monotonic() - before < 10


def test_input_asks_for_frames_and_for_a_moment_of_slow_ones(window):
    settle(window)
    window.redraw(settle=True)
    frames = 0
    give_up = time.monotonic() + 20
    while window.wait(0.3):
        assert time.monotonic() < give_up
        with window.frame():
            frames += 1
    assert SETTLE_FRAMES + 3 < frames <= SETTLE_FRAMES + 17  # 0.8 s in steps of 0.05 s, then silence


# ------------------------------------------------------------------------------------------------ frames and pictures


def test_a_frame_that_raises_leaves_the_window_usable(window):
    with pytest.raises(ZeroDivisionError), window.frame():
        imgui.begin("Broken")
        imgui.push_id("x")
        imgui.pop_id()
        imgui.end()
        raise ZeroDivisionError
    for _ in range(3):
        with window.frame():
            imgui.begin("Whole")
            imgui.end()


def test_the_screen_shows_the_painted_pixels_exactly(window):
    """No filtering, no half pixel, no colour change between the painter and the framebuffer."""
    values = np.random.default_rng(0).standard_normal((50, 70, 3)).astype(np.float32)
    with FloatTexture(values) as texture, PicturePainter() as picture:
        picture.draw(texture, PictureView((0, 0, 70, 50), (140, 100), ToneMap(), "nearest"))
        for _ in range(3):
            with window.frame():
                imgui.set_next_window_pos((10, 20))
                imgui.begin("Picture", None, imgui.WindowFlags_.no_decoration.value | imgui.WindowFlags_.always_auto_resize.value)
                imgui.set_cursor_screen_pos((30.4, 40.6))
                picture.show(window.framebuffer_scale)
                imgui.end()
        shot, pixels = window.screenshot(), picture.read()
    assert shot.shape == (480, 640, 3)
    assert (shot[41:141, 30:170] == pixels).all()


def test_the_screenshot_is_of_the_last_frame_each_time(window):
    for level in (0.0, 1.0, 0.5):
        for _ in range(2):
            with window.frame():
                color = imgui.color_convert_float4_to_u32(imgui.ImVec4(level, level, level, 1))
                imgui.get_background_draw_list().add_rect_filled((0, 0), (640, 480), color)
        assert window.screenshot()[240, 320].tolist() == [round(level * 255)] * 3
        assert (window.screenshot() == window.screenshot()).all()


def test_the_glyphs_of_the_interface_are_there(window):
    with window.frame():
        missing = [glyph for glyph in "°ψφσλθ→←↔↑↓²³₀₁—−×·…≥≤≈∞√π½±■●○✓é" if not imgui.get_font().is_glyph_in_font(ord(glyph))]
    assert not missing


# ------------------------------------------------------------------------------------------------ sizes, scale


@pytest.mark.parametrize("display, user", [(1.0, 1.0), (2.0, 1.0), (1.5, 1.25)])
def test_text_and_spacing_follow_the_display_and_the_user(display, user):
    with Window(WindowOptions(headless=True, size=(400, 300), content_scale=display, font_scale=user)) as window:
        with window.frame():
            assert imgui.get_font_size() == pytest.approx(16 * display * user)
        style = imgui.get_style()
        assert style.frame_rounding == pytest.approx(3 * display * user, abs=1)
        assert style.window_padding.x == pytest.approx(8 * display * user, abs=1)


def test_scaling_again_and_again_comes_back_to_the_same_sizes(window):
    before = (imgui.get_style().window_padding.x, imgui.get_style().scrollbar_size, imgui.get_style().frame_rounding)
    for scale in (1.7, 0.8, 1.3, 1.0):
        window.font_scale = scale
    assert (imgui.get_style().window_padding.x, imgui.get_style().scrollbar_size, imgui.get_style().frame_rounding) == before
    window.font_scale = 9
    assert window.font_scale == 2.0
    window.font_scale = 0.1
    assert window.font_scale == 0.8


def test_greys_have_no_tint(window):
    """Around pictures that are judged by eye: every colour but the accent and the markers is a pure grey."""
    style = imgui.get_style()
    for name in ("window_bg", "child_bg", "popup_bg", "frame_bg", "title_bg", "menu_bar_bg", "tab", "button", "header", "border", "text"):
        color = style.color_(getattr(imgui.Col_, name))
        assert color.x == color.y == color.z, name


def test_title_clipboard_and_dropped_files(window, tmp_path):
    window.title = "globe — ψ"
    assert window.title == "globe — ψ"
    window.clipboard = "héllo"
    assert window.clipboard == "héllo"
    settle(window)
    window.drop([tmp_path / "a.pkl", tmp_path / "b.pkl"])
    assert window.wait(20.0)
    assert window.take_dropped() == [tmp_path / "a.pkl", tmp_path / "b.pkl"] and window.take_dropped() == []


def test_closing_can_be_asked_for_and_repeated(window):
    assert not window.should_close
    window.request_close()
    assert window.should_close and window.wait(20.0)


# ------------------------------------------------------------------------------------------------ layout file


def test_nothing_is_written_or_deleted_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imgui.ini").write_text("somebody else's")
    with Window(WindowOptions(headless=True, size=(200, 200))) as window:
        for _ in range(3):
            with window.frame():
                imgui.begin("Panel")
                imgui.end()
    assert [p.name for p in tmp_path.iterdir()] == ["imgui.ini"]
    assert (tmp_path / "imgui.ini").read_text() == "somebody else's"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00garbage", b"[Window][", b""])
def test_a_damaged_layout_file_is_ignored_and_replaced(tmp_path, content):
    path = tmp_path / "layout.ini"
    path.write_bytes(content)
    with Window(WindowOptions(headless=True, size=(200, 200), ini_path=path)) as window:
        assert not window.had_layout
        for _ in range(3):
            with window.frame():
                imgui.begin("Panel")
                imgui.end()
    assert "[Window][Panel]" in path.read_text()


def test_a_folder_that_cannot_be_written_is_no_reason_to_stop(tmp_path):
    (tmp_path / "file").write_text("")
    with Window(WindowOptions(headless=True, size=(200, 200), ini_path=tmp_path / "file" / "layout.ini")) as window, window.frame():
        pass


# ------------------------------------------------------------------------------------------------ errors


def test_a_second_window_is_refused_and_after_closing_allowed():
    with Window(WindowOptions(headless=True, size=(64, 64))), pytest.raises(WindowError, match="open already"):
        Window(WindowOptions(headless=True))
    with Window(WindowOptions(headless=True, size=(64, 64))) as window:
        window.close()
        window.close()


def test_an_opengl_that_does_not_exist_is_a_window_error_and_leaves_nothing_open(monkeypatch):
    monkeypatch.setattr(context, "GL_VERSION", (9, 9))
    with pytest.raises(WindowError, match=r"OpenGL 9\.9 core is needed.*LIBGL_ALWAYS_SOFTWARE"):
        Window(WindowOptions(headless=True))
    monkeypatch.undo()
    with Window(WindowOptions(headless=True, size=(64, 64))):
        pass


def test_a_failure_while_starting_is_cleaned_up(monkeypatch):
    def fail() -> None:
        raise RuntimeError("no font")

    with monkeypatch.context() as patch:
        patch.setattr(window_module.theme, "load_fonts", fail)
        with pytest.raises(RuntimeError, match="no font"):
            Window(WindowOptions(headless=True))
    assert imgui.get_current_context() is None
    with Window(WindowOptions(headless=True, size=(64, 64))) as window, window.frame():
        assert gl.glGetError() == 0 and glfw.get_current_context()


OPEN = "from gui_utils.window import Window, WindowOptions; Window(WindowOptions(headless={headless}))"


def message_of(code: str, **environment: str) -> str:
    """What the WindowError says in a fresh process with this environment."""
    script = (
        f"from gui_utils.errors import WindowError\ntry:\n    {code}\nexcept WindowError as e:\n    print(e)\nelse:\n    print('opened')"
    )
    keep = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "PYOPENGL_PLATFORM")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], cwd=ROOT, env={**keep, **environment}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays have names on X11 only")
@pytest.mark.parametrize("display", [{}, {"DISPLAY": ":4711"}])
def test_without_a_display_one_sentence_says_what_to_do(display):
    said = message_of(OPEN.format(headless=False), **display)
    assert said.startswith("No display can be reached (X11:") and "set DISPLAY" in said and "python visualizer.py render" in said
    assert "\n" not in said


def test_headless_needs_no_display():
    assert message_of(OPEN.format(headless=True)) == "opened"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="an override of Mesa")
def test_an_old_opengl_is_named():
    said = message_of(OPEN.format(headless=True), MESA_GL_VERSION_OVERRIDE="3.1", LIBGL_ALWAYS_SOFTWARE="1")
    assert "OpenGL 3.3" in said and "update the driver" in said


@pytest.mark.parametrize("missing, remedy", [("imgui_bundle", "install the Python packages imgui-bundle"), ("glfw", "libgl1 libegl1"),
                                             ("OpenGL", "OpenGL cannot be loaded")])  # fmt: skip
def test_a_missing_library_is_named_with_the_remedy(missing, remedy):
    said = message_of(f"import sys; sys.modules[{missing!r}] = None; " + OPEN.format(headless=True))
    assert remedy in said and missing in said and "\n" not in said


def test_importing_the_errors_imports_nothing_else():
    heavy = "{'imgui_bundle', 'glfw', 'OpenGL', 'numpy'}"
    code = f"import sys, gui_utils, gui_utils.errors; print(sorted({{m.split('.')[0] for m in sys.modules}} & {heavy}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"

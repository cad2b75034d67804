"""The program as a person starts it: a real window on a virtual screen (Xvfb), driven by real mouse and key events (xdotool)."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image, ImageGrab

from viz.export import film_file
from viz.state import Latent, Source, ViewState

ROOT = Path(__file__).resolve().parent.parent
TINY_R = ROOT / "tests" / "golden" / "tiny_r.pkl"
DEADLINE_S = 240  # of anything; a busy machine is slow, and a time never decides

pytestmark = [pytest.mark.window, pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Xvfb and xdotool are Linux programs")]


def until(what: str, found, process: subprocess.Popen):
    """What `found()` returns once it is true; fails at the deadline, or when the program ends."""
    give_up = time.monotonic() + DEADLINE_S
    pause = 0.05
    while time.monotonic() < give_up:
        if result := found():
            return result
        if process.poll() is not None:
            pytest.fail(f"the program ended (exit code {process.returncode}) before {what}:\n{process.stderr.read()}")
        time.sleep(pause)  # polling another process: there is no event to wait for
    process.kill()
    pytest.fail(f"no {what} within {DEADLINE_S} s")


@pytest.fixture
def display(tmp_path):
    """A virtual screen of its own."""
    assert shutil.which("Xvfb") and shutil.which("xdotool"), "install them: sudo apt-get install xvfb xdotool"
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as numbers:
        number = numbers.readline().strip()  # written once the server accepts connections
    yield f":{number}"
    server.terminate()
    server.wait(DEADLINE_S)


def test_the_window_opens_shows_a_network_and_answers_the_mouse(display, tmp_path):
    environment = {**os.environ, "DISPLAY": display, "XDG_CONFIG_HOME": str(tmp_path)}
    environment.pop("PYOPENGL_PLATFORM", None)
    environment.pop("WAYLAND_DISPLAY", None)
    captures = tmp_path / "captures"

    def xdotool(*arguments: object) -> str:
        command = ["xdotool", *(str(a) for a in arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False).stdout.strip()

    program = subprocess.Popen(
        [sys.executable, str(ROOT / "visualizer.py"), str(TINY_R), "--size", "1200x760", "--capture-dir", str(captures)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        window = until(
            "window", lambda: xdotool("search", "--onlyvisible", "--name", "alias-free visualizer|Alias-free visualizer"), program
        )
        until("picture", lambda: "tiny_r" in xdotool("getwindowname", window), program)

        def dragged() -> ViewState | None:
            """Drags across the picture at a hand's pace and presses C; a machine may be too busy to notice the first time."""
            moves = [word for x in range(620, 720, 20) for word in ("mousemove", "--window", window, x, 400, "sleep", 0.05)]
            xdotool(
                "mousemove", "--window", window, 600, 400, "sleep", 0.2, "mousedown", 1, "sleep", 0.2, *moves, "mouseup", 1, "sleep", 0.2
            )
            xdotool("key", "--window", window, "c", "sleep", 0.5)
            files = sorted(captures.glob("*.png")) if captures.is_dir() else []
            view = film_file.read(files[-1]).views[0] if files else ViewState()
            return view if view.get(Latent).x > 0.05 else None

        assert until("drag", dragged, program).get(Source).network == str(TINY_R)
        before = set(captures.glob("*.png"))
        xdotool("key", "--window", window, "shift+c")  # released faster than a frame is drawn
        (new,) = until("capture", lambda: set(captures.glob("*.png")) - before, program)
        with Image.open(new) as captured:
            assert captured.width > 1000  # of the window, not of the picture

        def projected() -> bool:
            """Whether the output window lies over the first one: a picture between black sides, from a context that shares its texture."""
            with ImageGrab.grab(xdisplay=display) as screen:
                left, middle = (screen.crop((x, 100, x + 100, 400)).convert("L").getextrema() for x in (20, 400))
            return left == (0, 0) and 0 not in middle

        xdotool("key", "--window", window, "shift+F11")
        until("output window", projected, program)
        give_up = time.monotonic() + DEADLINE_S
        while program.poll() is None and time.monotonic() < give_up:
            xdotool("key", "--window", window, "ctrl+q", "sleep", 0.5)
        assert program.wait(DEADLINE_S) == 0, program.stderr.read()
        assert not (tmp_path / "imgui.ini").exists()
        assert (tmp_path / "aliasfree-visualizer" / "settings.json").exists()
    finally:
        if program.poll() is None:
            program.kill()
        program.communicate()

"""Other systems, as far as they can be pretended on this one: without POSIX, with another encoding, with another monitor."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from tests.interruptible import heard

ROOT = Path(__file__).resolve().parent.parent
DEADLINE_S = 240

# Third parties are imported before anything is taken away: they have versions of their own for other systems.
WITHOUT_POSIX = """
import importlib, os, pathlib, pkgutil, platform, signal, subprocess, sys, threading
import numpy, torch, PIL.Image, PIL.PngImagePlugin, platformdirs, safetensors.torch, imgui_bundle, glfw, OpenGL.GL
import http.server, multiprocessing, tempfile, torch._subclasses.fake_tensor, zipfile, urllib.request
for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog"):
    sys.modules[name] = None
for where, names in (
    (os, ("fork", "killpg", "setsid", "getuid", "getpgid", "getloadavg", "sched_getaffinity", "statvfs", "uname", "mkfifo")),
    (signal, ("SIGKILL", "SIGHUP", "SIGUSR1", "pthread_sigmask", "setitimer")),
):
    for name in names:
        delattr(where, name)
sys.platform = SYSTEM
platform.system = lambda: {"win32": "Windows", "darwin": "Darwin"}[SYSTEM]
import gui_utils, networks, torch_utils, viz, viz.cli
for package in (gui_utils, networks, torch_utils, viz):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__") and module.name != "torch_utils.wheel":
            importlib.import_module(module.name)
sys.exit(viz.cli.run(["render", "globe-r-64", "--out", "picture.png"]))
"""


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_everything_imports_and_renders_without_what_only_posix_has(system, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path), "CXX": "", "PATH": ""}
    code = WITHOUT_POSIX.replace("SYSTEM", repr(system))
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    assert "native is not available" in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    assert (tmp_path / "picture.png").stat().st_size > 1000


def test_a_first_window_fits_a_retina_monitor_and_a_windows_one_at_200_percent(monkeypatch):
    """Both monitors have 3024 x 1800 pixels; macOS says 1512 x 900 points, Windows says pixels and multiplies what we ask for by 2."""
    from gui_utils import context

    def with_monitor(system: str, width: int, height: int) -> tuple[int, int]:
        monkeypatch.setattr(context.sys, "platform", system)
        fake = SimpleNamespace(
            get_primary_monitor=lambda: "monitor",
            get_monitor_workarea=lambda _: (0, 0, width, height),
            get_monitor_content_scale=lambda _: (2.0, 2.0),
        )
        monkeypatch.setattr(context, "glfw", fake)
        return context.fitting_size((1600, 1000), headless=False)

    assert with_monitor("darwin", 1512, 900) == (1512, 900)
    assert with_monitor("win32", 3024, 1800) == (1512, 900)


def test_what_the_terminal_cannot_show_is_replaced_and_no_error():
    code = "import visualizer; visualizer.prepare_process(); print('x: \u22120.5 \u2014 \u221e')"
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, timeout=DEADLINE_S)
    assert (done.returncode, done.stdout.decode("cp1252").strip(), done.stderr) == (0, "x: ?0.5 \u2014 ?", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes without asking")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_film_that_is_told_to_end_can_be_played_so_far(number, tmp_path):
    command = [sys.executable, "visualizer.py", "record", "globe-r-64", "--seconds", "600", "--size", "1", "--out", str(tmp_path / "a.gif")]
    with heard(number):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        give_up = time.monotonic() + DEADLINE_S
        while not sum(path.stat().st_size for path in tmp_path.iterdir()) and process.poll() is None and time.monotonic() < give_up:
            time.sleep(0.05)  # polling another process: there is no event to wait for
        process.send_signal(number)
        _, said = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif.part"]
    with Image.open(tmp_path / "a.gif.part") as film:
        film.seek(film.n_frames - 1)  # pyright: ignore[reportAttributeAccessIssue]
        film.load()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_disk_that_is_full_before_a_films_first_byte_is_a_sentence(suffix, tmp_path):
    """In a process of its own: writing on after a header that could not be written ends the process."""
    (tmp_path / f"a{suffix}.part").symlink_to("/dev/full")
    command = [
        sys.executable,
        "visualizer.py",
        "record",
        "tests/golden/tiny_r.pkl",
        "--seconds",
        "0.2",
        "--out",
        str(tmp_path / f"a{suffix}"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 1 and "No space left on device" in done.stderr, done
    assert "Traceback" not in done.stderr and not (tmp_path / f"a{suffix}").exists()


@pytest.mark.skipif(os.name == "nt", reason="a shell's way to close streams")
@pytest.mark.parametrize(
    ("start", "code", "said"),
    [
        ("$python -I $program inspect globe-r-64", 0, "globe-r-64: safetensors"),
        ("$python $program inspect globe-r-64 2>&-", 0, "globe-r-64: safetensors"),
        ("mkdir gone && cd gone && rmdir ../gone && $python $program --list 2>&1", 1, "current folder no longer exists"),
    ],
)
def test_it_starts_isolated_without_streams_and_says_that_its_folder_is_gone(start, code, said, tmp_path):
    named = {**os.environ, "python": sys.executable, "program": str(ROOT / "visualizer.py")}
    done = subprocess.run(["sh", "-c", start], cwd=tmp_path, env=named, capture_output=True, text=True, timeout=120)
    assert done.returncode == code and said in done.stdout and "Traceback" not in done.stdout + done.stderr, done.stderr


@pytest.mark.parametrize("words", [[], ["render", "globe-r-64", "--out", "a.png"]])
def test_a_python_without_the_packages_is_told_which_to_use(words, tmp_path):
    """What a shell's own python says where the environment is not activated; -S leaves out the packages."""
    done = subprocess.run(
        [sys.executable, "-S", str(ROOT / "visualizer.py"), *words], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1 and ".venv/bin/activate" in done.stderr and "pip install -e ." in done.stderr
    assert sys.executable in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


def test_it_leaves_at_once_with_everything_written():
    code = "import atexit, sys, visualizer; atexit.register(print, 'told'); sys.argv[1:] = ['--list']; visualizer.main(); print('no')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.startswith("globe-r-64") and done.stdout.endswith("told\n"), done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_a_full_disk_swallows_is_a_failure():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "visualizer.py", "--list"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and done.stderr == "visualizer.py: No space left on device\n"

"""The same film gives the same bytes: in two processes, twice in one, and whatever the process had in memory before."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.viz.test_export import COUNT, FILM, ROOT
from viz.export import encoders, film_file
from viz.export.export import export
from viz.export.options import ExportOptions
from viz.pipeline import Pipeline
from viz.request import RenderRequest
from viz.state import Source, Tone

NAMES = ["a.mp4", "a.webm", "a.gif", "a"]
PLAY = """
import sys, visualizer
from viz import cli
visualizer.prepare_process()
for source, out in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
    if cli.run(["play", source, "--out", out]):
        sys.exit(1)
"""


@pytest.fixture(scope="module")
def frames():
    pipeline = Pipeline(headless=True)
    line = FILM.timeline
    rendered = [pipeline.render(RenderRequest(i, line.at(line.frame_time(i)))) for i in range(line.frame_count)]
    return [frame.toned for frame in rendered if frame is not None]


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """Folders with the films of two people on one machine, one of them with fewer threads: from the session, and from those films."""
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    session = tmp_path_factory.mktemp("session") / "session.json"
    session.write_text(FILM.edit_views(Tone, offset=0, gain_db=2).to_json())  # whole numbers
    for threads, sources, folder in (("1", dict.fromkeys(NAMES, session), first), ("2", {name: first / name for name in NAMES}, second)):
        words = [word for name in NAMES for word in (str(sources[name]), str(folder / name) + ("/" if name == "a" else ""))]
        environment = {**os.environ, "OMP_NUM_THREADS": threads}
        command = [sys.executable, "-c", PLAY, *words]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=480)
        assert done.returncode == 0, done.stderr
    return first, second


@pytest.mark.parametrize("name", NAMES)
def test_the_same_session_gives_the_same_bytes_also_from_the_file_itself(name, two_processes):
    first, second = (folder / name for folder in two_processes)
    again = film_file.read(first)
    assert again.timeline.frame_count == COUNT and again.views[0].get(Source).sha256
    for a, b in zip(*(sorted(p.iterdir()) if p.is_dir() else [p] for p in (first, second)), strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name


@pytest.mark.parametrize("name", NAMES)
def test_the_same_session_gives_the_same_bytes_in_one_process(name, tmp_path):
    first = export(FILM.edit_views(Tone, offset=0, gain_db=2), ExportOptions(tmp_path / name)).path  # whole numbers
    again = film_file.read(first)
    (tmp_path / "other").mkdir()
    second = export(again, ExportOptions(tmp_path / "other" / name)).path
    for a, b in zip(*(sorted(p.iterdir()) if p.is_dir() else [p] for p in (first, second)), strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name


def leave_in_the_heap(seed):
    """Frees blocks of runs of zeros and of set bits, for the next who allocates."""
    rng = np.random.default_rng(seed)
    bits = np.repeat(rng.choice(np.array([0, 0xFFFF], np.uint16), 1 << 18), 4)
    blocks = [bits[start : start + int(2**power)].copy() for start, power in enumerate(rng.uniform(11, 18, 200))]
    del blocks


@pytest.mark.parametrize(("name", "lossless"), [("a.mp4", False), ("a.mp4", True), ("a.webm", False), ("a.webm", True)])
def test_no_encoder_reads_memory_that_was_never_set(name, lossless, tmp_path, frames):
    """Seen with x264 on a processor with AVX-512; elsewhere its code for these never did."""
    seen = set()
    for seed in range(24):
        leave_in_the_heap(seed)
        film = encoders.Film(tmp_path / name, (32, 32), 10.0, encoders.Label("{}", ""), lossless=lossless)
        for index, pixels in enumerate(frames):
            film.add(index, pixels, "")
        film.finish()
        seen.add((tmp_path / name).read_bytes())
    assert len(seen) == 1

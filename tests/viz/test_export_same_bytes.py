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


@pytest.fixture(scope="module")
def frames():
    pipeline = Pipeline(headless=True)
    line = FILM.timeline
    rendered = [pipeline.render(RenderRequest(i, line.at(line.frame_time(i)))) for i in range(line.frame_count)]
    return [frame.toned for frame in rendered if frame is not None]


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.gif", "a"])
def test_the_same_session_gives_the_same_bytes_also_from_the_file_itself(name, tmp_path):
    """Each in a process of its own, as two people on one machine would make it, one of them with fewer threads."""
    session, first, second = tmp_path / "session.json", tmp_path / name, tmp_path / "other" / name
    session.write_text(FILM.edit_views(Tone, offset=0, gain_db=2).to_json())  # whole numbers
    (tmp_path / "other").mkdir()
    for threads, source, out in (("1", session, first), ("2", first, second)):
        command = [sys.executable, str(ROOT / "visualizer.py"), "play", str(source), "--out", str(out) + ("/" if name == "a" else "")]
        environment = {**os.environ, "OMP_NUM_THREADS": threads}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
    again = film_file.read(first)
    assert again.timeline.frame_count == COUNT and again.views[0].get(Source).sha256
    for a, b in zip(*(sorted(p.iterdir()) if p.is_dir() else [p] for p in (first, second)), strict=True):
        assert a.read_bytes() == b.read_bytes(), a.name


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.gif", "a"])
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

"""A session's film, frame by frame, to a file: fixed steps, no window, any whole multiple of the picture's size.

The same session on the same machine gives the same bytes. Imports torch only when it makes a pipeline of its own.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gui_utils.tone import ToneMap, tone_map
from torch_utils.picture_file import opened_picture
from viz.export.camera import Camera, Job, camera, rendered
from viz.export.encoders import Encoder, ExportError, Film, Label, Sequence, film_format, video_library
from viz.export.left_over import forget_frames, held_frames
from viz.export.options import FRAMES, WHATS, ExportOptions, ExportProgress, ExportResult, command_line
from viz.headless import with_full_names
from viz.request import NetworkFacts
from viz.session.session import Session
from viz.state import MOTION, Noise, Pose, Source, Tap, ViewState

if TYPE_CHECKING:
    from viz.pipeline import Pipeline

MEMORY_BYTES = 1 << 28  # frames seldom share layers: little is worth remembering
Report = Callable[[ExportProgress], None]


def export(
    session: Session,
    options: ExportOptions,
    *,
    pipeline: Pipeline | None = None,
    progress: Report = lambda p: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ExportResult:
    """Writes the session's film. Raises ExportError with one sentence; frames written before stay where they are."""
    check(session, options)
    session = Session.from_json(session.to_json())  # as whoever reads the file will get it: 1 and 1.0 become the same
    if options.keep_frames and not options.is_sequence:
        return _by_way_of_frames(session, options, pipeline=pipeline, progress=progress, cancelled=cancelled)
    run = _Export(session, options, pipeline or _pipeline(), progress, cancelled)
    return run.run()


def check(session: Session, options: ExportOptions) -> None:
    """What can be known to fail before anything is computed."""
    if options.size < 1:
        raise ExportError(f"size is {options.size}; a whole number from 1 is expected")
    if options.what not in WHATS:
        raise ExportError(f"what is {options.what!r}; one of {', '.join(WHATS)} is expected")
    if options.frames not in FRAMES:
        raise ExportError(f"frames is {options.frames!r}; {' or '.join(FRAMES)} is expected")
    if options.frames == "exr" and not options.is_sequence:
        raise ExportError(f"EXR frames are files of their own, and {options.out.name} is a film: a folder (a name ending in /) is expected")
    if options.values and options.what in ("window", "cinema"):
        raise ExportError(f"EXR frames hold values, and this film has colours only ({WHATS[options.what]}): PNG frames hold it")
    if not options.is_sequence:
        encoding = film_format(options.out, lossless=options.lossless)
        if session.film.fps > encoding.most_fps:
            most = f"at most {encoding.most_fps:g} are expected; .mp4 and .webm can have more"
            raise ExportError(f"{options.out.name} would have {session.film.fps:g} frames a second, which browsers slow down: {most}")
        if not options.out.parent.is_dir():
            raise ExportError(f"the folder {options.out.parent} does not exist")
        if not os.access(options.out.parent, os.W_OK):
            raise ExportError(f"nothing can be written to the folder {options.out.parent} (no permission)")
        video_library()


def identity_of(session: Session, options: ExportOptions) -> str:
    """A short hash of everything that decides the pixels of a sequence."""
    asked = f" x{options.size}" if options.flags == f" --size {options.size}" else options.flags  # pictures: as they always were
    return hashlib.sha256(f"{session.to_json(sort_keys=True)}{asked}".encode()).hexdigest()[:16]


def ignored(session: Session, network: NetworkFacts) -> tuple[str, ...]:
    """What the film asks for and this network does not have. Raises ExportError where a layer does not exist."""
    views = [k.view for k in session.film.keyframes if k.view.get(Source).network == network.ref]
    for sentence in filter(None, (network.no_layer(view.get(Tap).layer) for view in views)):
        raise ExportError(sentence)
    notes = []
    if not network.has_pose and any(view.get(Pose) != Pose() for view in views):
        notes.append(f"{network.titled} has no input grid: translation and rotation do nothing.")
    if not network.has_noise and any(view.get(Noise) != Noise() for view in views):
        notes.append(f"{network.titled} has no noise inputs: the film stands still where only noise changes.")
    return tuple(notes)


class _Export:
    """One run through the frames."""

    def __init__(
        self, session: Session, options: ExportOptions, pipeline: Pipeline, progress: Report, cancelled: Callable[[], bool]
    ) -> None:
        self.session, self.options, self.pipeline = session, options, pipeline
        self.progress, self.cancelled = progress, cancelled
        self.total = session.film.frame_count
        self.start_s, self.rendered = time.monotonic(), 0

    def run(self) -> ExportResult:
        first = rendered(self.pipeline, 0, self._view(0))
        network = first.network
        assert network is not None
        ref = first.request.view.get(Source).network
        source = replace(first.request.view.get(Source), sha256=network.sha256)
        self.session = self.session.with_source(ref, source)
        named = self.session.map_views(lambda view: with_full_names(view, network) if view.get(Source).network == ref else view)
        if named != self.session:
            self.session = named
            first = rendered(self.pipeline, 0, self._view(0))
        notes = (*network.notes, *ignored(self.session, network))
        taking = camera(Job(self.session, self.options, self.pipeline))
        try:
            return replace(self._film(taking, taking.open(first)), notes=notes)
        finally:
            taking.close()

    def _film(self, taking: Camera, size: tuple[int, int]) -> ExportResult:
        done = 0
        try:
            encoder = self._encoder(size)
        except OSError as e:
            raise ExportError(f"{self.options.out.name} cannot be written: {e.strerror or e}") from e
        try:
            for done in range(self.total):
                if self.cancelled():
                    return ExportResult(encoder.stop(keep=False), done, self.rendered, cancelled=True)
                self._frame(encoder, taking, done)
            encoder.finish()
        except BaseException as e:  # also Ctrl+C: what is there is closed properly
            left, why = encoder.stop(keep=True), (getattr(e, "strerror", None) or str(e)).rstrip(".")
            if isinstance(e, OSError | ValueError | RuntimeError | ExportError) or type(e).__module__.startswith("av"):
                raise ExportError(f"frame {done} of {self.total} was not written: {why}. {_left(done, left)}") from e
            if isinstance(e, KeyboardInterrupt):
                raise KeyboardInterrupt(_left(done, left)) from e
            raise
        return ExportResult(self.options.out, self.total, self.rendered)

    def _encoder(self, size: tuple[int, int]) -> Encoder:
        label = Label(self.session.to_json(), command_line(self.options))
        if self.options.is_sequence:
            return Sequence(self.options.out, label, identity_of(self.session, self.options), f".{self.options.frames}")
        return Film(self.options.out, size, self.session.film.fps, label, lossless=self.options.lossless)

    def _frame(self, encoder: Encoder, taking: Camera, index: int) -> None:
        taken, there = None, encoder.has(index)
        if not there or taking.remembers:
            view = self._view(index)
            taken = taking.take(index, view)
            if not there:
                encoder.add(index, taken, view.to_json(), taking.holds)
                self.rendered += 1
        elapsed = time.monotonic() - self.start_s
        left = self.total - index - 1
        eta_s = elapsed / self.rendered * left if self.rendered else None
        self.progress(ExportProgress(index + 1, self.total, elapsed, eta_s, None if taken is None else _preview(taken)))

    def _view(self, index: int) -> ViewState:
        film = self.session.film
        return film.at(film.frame_time(index)).reset(*MOTION)


def _by_way_of_frames(
    session: Session, options: ExportOptions, *, pipeline: Pipeline | None, progress: Report, cancelled: Callable[[], bool]
) -> ExportResult:
    """Renders a sequence beside the film, encodes it, and removes it when the film is complete."""
    start_s = time.monotonic()
    with held_frames(options) as folder:
        sequence = replace(options, out=folder, keep_frames=False, frames="png")
        result = _Export(session, sequence, pipeline or _pipeline(), progress, cancelled).run()
        told = lambda: progress(ExportProgress(result.frames, result.frames, time.monotonic() - start_s))  # noqa: E731
        if result.cancelled or not _encoded(folder, options, result.frames, told, cancelled):
            return replace(result, path=folder if result.frames else None, cancelled=True)
        forget_frames(folder)
    return replace(result, path=options.out)


def _encoded(folder: Path, options: ExportOptions, count: int, told: Callable[[], None], cancelled: Callable[[], bool]) -> bool:
    """Makes the film of a folder's frames; False where it was cancelled. Raises ExportError; nothing half-written stays."""
    film = None
    try:
        kept = Session.from_json((folder / "session.json").read_text(encoding="utf-8"))
        for index, pixels in enumerate(_pictures(folder, count)):
            if film is None:
                label, size = Label(kept.to_json(), command_line(options)), (pixels.shape[1], pixels.shape[0])
                film = Film(options.out, size, kept.film.fps, label, lossless=options.lossless)
            if cancelled():
                film.stop(keep=False)
                return False
            film.add(index, pixels, "", "")
            told()
        if film is not None:
            film.finish()
    except BaseException as e:  # also Ctrl+C
        if film is not None:
            film.stop(keep=False)
        if isinstance(e, OSError | video_library().FFmpegError):
            said = f"{options.out.name} was not written: {getattr(e, 'strerror', None) or e}"
            raise ExportError(f"{said}. Its frames are kept in {folder.name}; run the same again.") from e
        raise
    return True


def _pictures(folder: Path, count: int) -> Iterator[np.ndarray]:
    for index in range(count):
        with opened_picture(folder / f"{index:05d}.png") as picture:
            pixels = np.asarray(picture.convert("RGB"))
        yield pixels


def _pipeline() -> Pipeline:
    from viz.pipeline import Pipeline

    return Pipeline(headless=True, memory_bytes=MEMORY_BYTES)


def _preview(taken: np.ndarray) -> np.ndarray:
    """Something to look at while values are written."""
    if taken.dtype == np.uint8:
        return taken
    finite = taken[np.isfinite(taken)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    span = max(high - low, 1e-12)
    return tone_map(taken, ToneMap(1 / span, -low / span, signed=False))


def _left(done: int, path: Path | None) -> str:
    if not path or not done:
        return "Nothing was kept."
    if not path.is_dir():  # a film's encoder holds some frames back
        return f"What was written before it is kept in {path.name}."
    return f"The {done} frame{' before it is' if done == 1 else 's before it are'} kept in {path.name}."

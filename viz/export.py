"""A session's film, frame by frame, to a file: fixed steps, no window, any whole multiple of the picture's size.

The same session on the same machine gives the same bytes. Imports torch only when it makes a pipeline of its own.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gui_utils.tone import PictureView, paint, tone_map
from viz import compare_picture
from viz.encoders import LARGEST_SIDE, Encoder, ExportError, Film, Label, Sequence, film_format, video_library
from viz.request import Frame, NetworkFacts, Picture, RenderRequest
from viz.session import Session
from viz.stages.tone import shader_tone
from viz.state import MOTION, Compare, CompareView, Noise, Pose, Source, Tap, Tone, View, ViewState

if TYPE_CHECKING:
    from viz.pipeline import Pipeline

PROGRAM = "visualizer.py"
MEMORY_BYTES = 1 << 28  # frames seldom share layers: little is worth remembering


@dataclass(frozen=True)
class ExportOptions:
    """`out`: .mp4, .webm, .gif, or a folder for a PNG sequence. `size`: output pixels for one of the picture, along a side.

    `keep_frames`: a film's frames are kept beside it as PNGs until it is complete, so that a stopped export can go on.
    """

    out: Path
    size: int = 1
    lossless: bool = False
    keep_frames: bool = False

    @property
    def is_sequence(self) -> bool:
        return self.out.suffix == "" or self.out.is_dir()

    @property
    def frames_folder(self) -> Path:
        return self.out.with_name(f".{self.out.name}.frames")


@dataclass(frozen=True)
class ExportProgress:
    """`done` of `total` frames; `eta_s` None while nothing is known. `preview`: the newest frame, uint8 [H, W, 3]."""

    done: int
    total: int
    elapsed_s: float = 0.0
    eta_s: float | None = None
    preview: np.ndarray | None = None


@dataclass(frozen=True)
class ExportResult:
    """`rendered` counts the frames that were not there already. `cancelled`: what stands at `path` (if anything) is not the whole."""

    path: Path | None
    frames: int
    rendered: int
    cancelled: bool = False
    notes: tuple[str, ...] = ()  # what loading the network had to say


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
    if not options.is_sequence:
        film_format(options.out, lossless=options.lossless)
        if not options.out.parent.is_dir():
            raise ExportError(f"the folder {options.out.parent} does not exist")
        video_library()


def command_line(options: ExportOptions) -> str:
    """What reproduces a file from itself; FILE stands for whatever it is called by then."""
    again = f"again{options.out.suffix}" if not options.is_sequence else "again/"
    flags = f" --size {options.size}" + (" --lossless" if options.lossless and not options.is_sequence else "")
    return f"python {PROGRAM} play FILE --out {again}{flags}"


def identity_of(session: Session, options: ExportOptions) -> str:
    """A short hash of everything that decides the pixels of a sequence."""
    return hashlib.sha256(f"{session.to_json(sort_keys=True)} x{options.size}".encode()).hexdigest()[:16]


def output_size(picture: Picture, view: ViewState, size: int) -> tuple[int, int]:
    """(width, height) of an exported picture, or of two that are compared, in pixels."""
    width, height = compare_picture.picture_size(view, size, compare_picture.source_of(picture, view))
    if max(width, height) > LARGEST_SIDE:
        raise ExportError(f"size {size} gives {width} x {height} pixels; at most {LARGEST_SIDE} a side can be written")
    return width, height


def pixels_of(picture: Picture, view: ViewState, size: tuple[int, int]) -> np.ndarray:
    """The picture as the window draws it, at `size` (width, height): uint8 [height, width, 3], by our own resampling."""
    source = compare_picture.source_of(picture, view)
    values, tone = picture.values, shader_tone(view.get(Tone), picture.values.shape[2])
    height, width = values.shape[:2]
    if picture.mask is None and source == (0, 0, width, height) and size == (width, height):
        return tone_map(values, tone)
    mask = None if picture.mask is None else picture.mask.astype(np.float32)
    return paint(values, PictureView(source, size, tone, view.get(View).magnify), mask)


def widest(session: Session, view: ViewState) -> ViewState:
    """The view whose pictures need the most room: side by side, if the film ever shows two views so."""
    beside = (k.view for k in session.film.keyframes if k.view.get(Compare).on and k.view.get(CompareView).mode == "side")
    found = next(beside, view)
    return view.put(found.get(Compare)).put(found.get(CompareView))


def frame_pixels(frame: Frame, size: tuple[int, int], scale: int) -> np.ndarray:
    """The frame as the window draws it, its picture or the comparison that its view asks for, as large as fits into the film's frame."""
    assert frame.picture is not None
    view, source = frame.request.view, compare_picture.source_of(frame.picture, frame.request.view)
    natural = compare_picture.picture_size(view, scale, source)
    factor = min(size[0] / natural[0], size[1] / natural[1])
    if compare_picture.compared(view):
        pixels = compare_picture.composed(frame, view, scale * factor, source)
    else:
        pixels = pixels_of(frame.picture, view, (max(1, round(natural[0] * factor)), max(1, round(natural[1] * factor))))
    return compare_picture.centred(pixels, size)


def ignored(session: Session, network: NetworkFacts) -> tuple[str, ...]:
    """What the film asks for and this network does not have. Raises ExportError where a layer does not exist."""
    views = [k.view for k in session.film.keyframes if k.view.get(Source).network == network.ref]
    known = {"", *(tap.name for tap in network.taps)}
    missing = next((layer for view in views if (layer := view.get(Tap).layer) not in known), None)
    if missing is not None:
        raise ExportError(f"{missing} is not a layer of {network.name}; it has {', '.join(t.name for t in network.taps)}")
    notes = []
    if not network.has_pose and any(view.get(Pose) != Pose() for view in views):
        notes.append(f"{network.name} ({network.config_name}) has no input grid: translation and rotation do nothing.")
    if not network.has_noise and any(view.get(Noise) != Noise() for view in views):
        notes.append(f"{network.name} ({network.config_name}) has no noise inputs: the film stands still where only noise changes.")
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
        first = self._render(0)
        assert first.picture is not None and first.network is not None
        ref = first.request.view.get(Source).network
        source = replace(first.request.view.get(Source), sha256=first.network.sha256)
        self.session = self.session.with_source(ref, source)
        notes = (*first.network.notes, *ignored(self.session, first.network))
        size = output_size(first.picture, widest(self.session, first.request.view), self.options.size)
        done = 0
        try:
            encoder = self._encoder(size)
        except OSError as e:
            raise ExportError(f"{self.options.out.name} cannot be written: {e}") from e
        try:
            for done in range(self.total):
                if self.cancelled():
                    return ExportResult(encoder.stop(keep=False), done, self.rendered, cancelled=True)
                self._frame(encoder, done, size)
            encoder.finish()
        except BaseException as e:  # also Ctrl+C: what is there is closed properly
            left = encoder.stop(keep=True)
            if isinstance(e, OSError | ValueError | RuntimeError | ExportError) or type(e).__module__.startswith("av"):
                raise ExportError(f"frame {done} of {self.total} was not written: {e}. {_left(done, left)}") from e
            raise
        return ExportResult(self.options.out, self.total, self.rendered, notes=notes)

    def _encoder(self, size: tuple[int, int]) -> Encoder:
        label = Label(self.session.to_json(), command_line(self.options))
        if self.options.is_sequence:
            return Sequence(self.options.out, label, identity_of(self.session, self.options))
        return Film(self.options.out, size, self.session.film.fps, label, lossless=self.options.lossless)

    def _frame(self, encoder: Encoder, index: int, size: tuple[int, int]) -> None:
        pixels = None
        if not encoder.has(index):
            frame = self._render(index)
            assert frame.picture is not None
            pixels = frame_pixels(frame, size, self.options.size)
            encoder.add(index, pixels, frame.request.view.to_json())
            self.rendered += 1
        elapsed = time.monotonic() - self.start_s
        left = self.total - index - 1
        eta_s = elapsed / self.rendered * left if self.rendered else None
        self.progress(ExportProgress(index + 1, self.total, elapsed, eta_s, pixels))

    def _render(self, index: int) -> Frame:
        film = self.session.film
        view = film.at(film.frame_time(index)).reset(*MOTION)
        frame = self.pipeline.render(RenderRequest(index, view))
        if frame is None or frame.error or frame.picture is None:
            why = f"{frame.error.message} {frame.error.advice}".strip() if frame and frame.error else "nothing was rendered"
            raise ExportError(f"frame {index}: {why}")
        return frame


def _by_way_of_frames(
    session: Session, options: ExportOptions, *, pipeline: Pipeline | None, progress: Report, cancelled: Callable[[], bool]
) -> ExportResult:
    """Renders a sequence beside the film, encodes it, and removes it when the film is complete."""
    folder = options.frames_folder
    sequence = replace(options, out=folder, keep_frames=False)
    folder.mkdir(exist_ok=True)  # a folder, although its name has a suffix
    result = _Export(session, sequence, pipeline or _pipeline(), progress, cancelled).run()
    if result.cancelled:
        return result
    kept = Session.from_json((folder / "session.json").read_text(encoding="utf-8"))
    frames = _pictures(folder, result.frames)
    first = next(frames)
    label = Label(kept.to_json(), command_line(options))
    film = Film(options.out, (first.shape[1], first.shape[0]), kept.film.fps, label, lossless=options.lossless)
    try:
        for index, pixels in enumerate(_pictures(folder, result.frames)):
            film.add(index, pixels, "")
        film.finish()
    except (OSError, film.errors) as e:
        film.stop(keep=False)
        raise ExportError(f"{options.out.name} was not written: {e}. Its frames are kept in {folder.name}; run the same again.") from e
    shutil.rmtree(folder)
    return replace(result, path=options.out)


def _pictures(folder: Path, count: int) -> Iterator[np.ndarray]:
    from PIL import Image

    for index in range(count):
        with Image.open(folder / f"{index:05d}.png") as picture:
            yield np.asarray(picture.convert("RGB"))


def _pipeline() -> Pipeline:
    from viz.pipeline import Pipeline

    return Pipeline(headless=True, memory_bytes=MEMORY_BYTES)


def _left(done: int, path: Path | None) -> str:
    return f"The {done} frames before it are kept in {path.name}." if path and done else "Nothing was kept."

"""The hidden folders of frames that films are made by way of: held while an export runs, found again after one that was killed.

The lock in a folder goes with its process, so that the frames of a window that is still at it are nobody else's.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch_utils.atomic import atomic
from torch_utils.file_lock import hold, let_go
from viz.errors import CommandError
from viz.export.encoders import SUFFIXES, ExportError, frame_identity
from viz.export.film_file import command_in
from viz.export.options import ExportOptions, ExportProgress, asked_in
from viz.session import session
from viz.session.session import Session
from viz.state import StateError

LOCK, ASKED, SESSION, FRAMES = "lock", "export.json", "session.json", "[0-9]*.png"
START, END = ".", ".frames"  # around the film's name


@dataclass(frozen=True)
class LeftOver:
    """A film whose frames are there in part, and that nobody makes any more: as much of an ExportJob as going on with it needs."""

    session: Session
    options: ExportOptions
    progress: ExportProgress

    def discard(self) -> None:
        discard_frames(self.options)


@contextmanager
def held_frames(options: ExportOptions) -> Iterator[Path]:
    """The folder of a film's frames, for this process alone; one without frames goes. Raises ExportError where another has it."""
    folder, lock = options.frames_folder, None
    try:
        folder.mkdir(exist_ok=True)  # a folder, although its name has a suffix
    except OSError as e:
        raise ExportError(f"the frames of {options.out.name} cannot be kept beside it: {e.strerror or e}") from e
    try:
        lock = hold(folder / LOCK)
        if lock is None:
            raise ExportError(f"{options.out.name} is being exported already, by another window or command")
    except OSError:
        pass  # a folder on a network without locks: better than no film
    try:
        _prepare(folder, options)
        yield folder
    finally:
        _end(folder, lock)


def _prepare(folder: Path, options: ExportOptions) -> None:
    try:
        with atomic(folder / ASKED) as temporary:
            temporary.write_text(json.dumps({"lossless": options.lossless}), encoding="utf-8")
        for path in folder.glob(FRAMES):
            if not frame_identity(path):  # a power cut leaves files without what was written to them
                path.unlink()
    except OSError as e:
        raise ExportError(f"the frames of {options.out.name} cannot be kept beside it: {e.strerror or e}") from e


def left_over(folder: Path) -> tuple[LeftOver, ...]:
    """What killed exports have left in `folder`, newest first. Their folders without a single frame are removed."""
    found: list[tuple[int, LeftOver]] = []
    try:
        there = [p for p in folder.iterdir() if p.name.startswith(START) and p.name.endswith(END) and p.is_dir()]
    except OSError:
        return ()
    for path in there:
        if Path(path.name.removesuffix(END)).suffix.lower() not in SUFFIXES:
            continue
        try:
            lock = hold(path / LOCK)
            if lock is None:
                continue
            count = sum(1 for _ in path.glob(FRAMES))
            _end(path, lock)
            if count:
                found.append((path.stat().st_mtime_ns, _read(path, count)))
        except (OSError, CommandError, StateError, ValueError):
            continue  # nothing that could be gone on with; somebody's own folder, perhaps
    return tuple(left for _, left in sorted(found, key=lambda each: each[0], reverse=True))


def _read(folder: Path, count: int) -> LeftOver:
    kept = session.load(folder / SESSION)
    asked: dict[str, Any] = asked_in(command_in(folder))
    with suppress(OSError, ValueError, KeyError, TypeError):
        asked["lossless"] = bool(json.loads((folder / ASKED).read_text(encoding="utf-8"))["lossless"])
    out = folder.with_name(folder.name.removeprefix(START).removesuffix(END))
    options = ExportOptions(out, **{**asked, "frames": "png"}, keep_frames=True)
    return LeftOver(kept, options, ExportProgress(count, kept.film.frame_count))


def discard_frames(options: ExportOptions) -> None:
    """Removes the frames kept for a film, unless another window has gone on with them meanwhile."""
    folder, lock = options.frames_folder, None
    with suppress(OSError):
        if (lock := hold(folder / LOCK)) is None:
            return
    with suppress(OSError):
        forget_frames(folder)
        _end(folder, lock)


def forget_frames(folder: Path) -> None:
    """All but the lock: a folder that nobody holds is empty, and on Windows a file that is open cannot go."""
    for path in folder.iterdir():
        if path.name != LOCK:
            path.unlink(missing_ok=True)


def _end(folder: Path, lock: int | None) -> None:
    """Lets go of a folder, which goes where it holds nothing but what stands here besides frames."""
    let_go(lock)
    with suppress(OSError):
        if all(p.name in (LOCK, ASKED, SESSION) or p.suffix == ".part" for p in folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)

"""An export in the background: a thread with a pipeline of its own, while the window stays as quick as it was."""

from __future__ import annotations

from collections.abc import Callable

from viz.background import Job, Wake
from viz.export.export import export
from viz.export.left_over import discard_frames
from viz.export.options import ExportOptions, ExportProgress, ExportResult
from viz.session.session import Session


class ExportJob(Job[ExportResult]):
    """`progress` is published by assignment, too."""

    def __init__(
        self, session: Session, options: ExportOptions, wake: Wake = lambda: None, run: Callable[..., ExportResult] = export
    ) -> None:
        self.session, self.options = session, options
        self.progress = ExportProgress(0, session.film.frame_count)
        work = lambda: run(session, options, progress=self._report, cancelled=self._cancelled.is_set)  # noqa: E731
        super().__init__("export", work, "The export stopped", wake)

    @property
    def can_go_on(self) -> bool:
        """Whether it ended early and left frames that the next run need not make."""
        early = bool(self.error) or (self.result is not None and self.result.cancelled)
        folder = self.options.out if self.options.is_sequence else self.options.frames_folder
        return early and folder.is_dir() and self.progress.done > 0

    def discard(self) -> None:
        """Removes the frames kept for a film; those of a sequence stay, they are somebody's pictures."""
        if not self.options.is_sequence:
            discard_frames(self.options)

    def _report(self, progress: ExportProgress) -> None:
        self.progress = progress
        self._wake()


def time_left_text(progress: ExportProgress) -> str:
    """ "frame 12 of 90, 0:24 left" """
    left = "" if progress.eta_s is None else f", {_clock(progress.eta_s)} left"
    return f"frame {progress.done} of {progress.total}{left}"


def finished_text(result: ExportResult) -> str:
    if result.cancelled:
        return f"Export stopped. {result.frames} frames are kept in {result.path}." if result.path else "Export stopped."
    return f"Film saved: {result.path}"


def _clock(seconds_s: float) -> str:
    whole = max(0, round(seconds_s))
    return f"{whole // 60}:{whole % 60:02d}"

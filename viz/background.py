"""Work in the background: a thread of its own, so that the window stays as quick as it was."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from typing import Generic, TypeVar

from viz.errors import CommandError

R = TypeVar("R")
Wake = Callable[[], None]


class Job(Generic[R]):
    """Starts `work` at once. `result`, or `error` with its `details`, is published by assignment, and then `wake` called.

    What nobody has foreseen becomes a sentence, too, which begins with `failed`.
    """

    def __init__(self, name: str, work: Callable[[], R], failed: str, wake: Wake) -> None:
        self.result: R | None = None
        self.error, self.details = "", ""
        self._wake, self._cancelled = wake, threading.Event()
        self._thread = threading.Thread(target=self._run, args=(work, failed), name=name, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self.result is None and not self.error

    def cancel(self) -> None:
        """Stops after the step in hand."""
        self._cancelled.set()

    def close(self, timeout_s: float = 10.0) -> None:
        self.cancel()
        self._thread.join(timeout_s)

    def join(self, timeout_s: float) -> bool:
        """Waits for the end; False if it took longer."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self, work: Callable[[], R], failed: str) -> None:
        try:
            self.result = work()
        except CommandError as e:
            self.error = str(e)
        except Exception as e:  # the border of the thread: whatever happens becomes a sentence in the window
            self.details = "".join(traceback.format_exception(e))
            self.error = f"{failed}: {type(e).__name__}: {e}"
        self._wake()

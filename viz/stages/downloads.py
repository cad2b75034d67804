"""Networks on their way, each in a thread of its own, so that what needs no new network is answered meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from networks.loading import LoadCancelled, LoadError
from networks.loading.fetch import download, is_here
from viz.request import Report

THREAD = "network download"
POLL_S = 0.05  # between two questions to `superseded`
REST_S = 2.0  # after a failure, until the server is asked again: a drag must not ask with every picture


class Downloads:
    """Belongs to the render thread."""

    def __init__(self) -> None:
        self._under_way: dict[str, Errand] = {}

    def here(self, ref: str, superseded: Callable[[], bool], report: Report) -> bool:
        """Whether network `ref` is on this machine, after waiting for it; False where `superseded()` ended the waiting, and not
        the download. Raises LoadError where that has failed.
        """
        found = self._under_way.get(ref)
        if found is None or found.over_long_ago:
            if is_here(ref):
                return True
            found = self._under_way[ref] = Errand(ref, partial(download, ref))
        while not found.ended.wait(POLL_S):
            report(*found.said)
            if superseded():
                return False
        if found.error is not None:
            raise found.error
        del self._under_way[ref]
        return True

    def keep(self, refs: Iterable[str]) -> None:
        """Ends the downloads of all others. What has arrived of them is continued, should they be wanted again."""
        for ref in set(self._under_way) - set(refs):
            self._under_way.pop(ref).end()


class Errand:
    """`fetch(progress=, cancelled=)` in a thread of its own, as `networks.loading` has it: `said` on the way; `found`, or `error`,
    once it has `ended`."""

    def __init__(self, ref: str, fetch: Callable[..., Any]) -> None:
        self.ended, self.error = threading.Event(), None
        self.found: Any = None
        self.said: tuple[str, float | None, bool] = (f"Connecting to download {ref}", None, True)
        self._unwanted = False
        self._ended_at = 0.0
        self._thread = threading.Thread(target=self._run, args=(ref, fetch), name=THREAD, daemon=True)
        self._thread.start()

    def _run(self, ref: str, fetch: Callable[..., Any]) -> None:
        try:
            self.found = fetch(progress=self._say, cancelled=lambda: self._unwanted)
        except LoadCancelled:
            pass
        except LoadError as error:
            self.error = error
        except Exception as error:  # whoever waits is told
            self.error = LoadError(ref, f"it could not be fetched ({type(error).__name__}: {error})", "Try again.")
        self._ended_at = time.monotonic()
        self.ended.set()

    def _say(self, done: int, total: int | None, text: str) -> None:
        self.said = (text, done / total if total else None, True)

    @property
    def over_long_ago(self) -> bool:
        return self.ended.is_set() and time.monotonic() - self._ended_at > REST_S

    def leave(self) -> None:
        """Nobody wants it any more: it ends soon."""
        self._unwanted = True

    def end(self) -> None:
        """Returns when it has let go of its file, which is at once."""
        self.leave()
        self._thread.join()

"""Runs that keep in step, so that they can be compared whenever they are stopped."""

from __future__ import annotations

import threading


class Pace:
    """None of the runs that are under way gets more than `lead` images ahead of the last; stopped, all end at the same number of images."""

    def __init__(self, lead: int) -> None:
        self._lead = lead
        self._images: dict[str, int] = {}
        self._step: dict[str, int] = {}  # images of each one's last step
        self._goal: int | None = None
        self._changed = threading.Condition()

    def enter(self, name: str, images: int = 0) -> None:
        """A run begins, or goes on, after so many images."""
        with self._changed:
            self._images[name] = images

    def leave(self, name: str) -> None:
        """A run is over: nobody waits for it any more."""
        with self._changed:
            self._images.pop(name, None)
            self._changed.notify_all()

    def stop(self) -> None:
        """Let all runs come to where the first is after the step it is in, and end there."""
        with self._changed:
            if self._goal is None:
                self._goal = max((images + self._step.get(name, 0) for name, images in self._images.items()), default=0)
            self._changed.notify_all()

    def is_over(self, name: str, images: int) -> bool:
        """After a step of a run: waits for the others if it is too far ahead, and says whether it is to end."""
        with self._changed:
            self._step[name] = images - self._images.get(name, images)
            self._images[name] = images
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._goal is not None or images - min(self._images.values()) <= self._lead)
            return self._goal is not None and images >= self._goal

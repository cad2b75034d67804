"""The mean of the pictures that were shown, in their place: what stays of a walk. Of every view of a comparison, each by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from viz.compare.compare import OF_ONE
from viz.request import Frame, Picture
from viz.session.saved_json import finite
from viz.state import Compare, Latent, Source, StateError, ViewState

if TYPE_CHECKING:
    from viz.app import App


IN_FILE = "MeanOver"  # in a saved view, by number of the view: x, y of each latent. No group: nothing sets, moves or undoes it
MOST = 4096  # pictures of a mean: what a file can carry, and more than change it
Latents = Mapping[int, Sequence[tuple[float, float]]]


class MeanPicture:
    """Of one view: it begins anew where anything but the latent changes. `latents`: over which."""

    def __init__(self) -> None:
        self.latents: list[tuple[float, float]] = []
        self._sum = np.zeros(0)
        self._last: Picture | None = None
        self._scene: ViewState | None = None

    @property
    def count(self) -> int:
        return len(self.latents)

    def add(self, frame: Frame) -> Frame:
        """The frame with the mean in place of its picture, which is counted once however often the frame comes."""
        picture, scene = frame.picture, frame.request.view.reset(Latent)
        if picture is None:
            return frame
        if scene != self._scene or picture.shape != self._sum.shape:
            self.latents, self._scene, self._sum, self._last = [], scene, np.zeros(picture.shape), None
        if picture is not self._last and self.count < MOST:
            at = frame.request.view.get(Latent)
            self._last, self._sum = picture, self._sum + picture.values
            self.latents.append((at.x, at.y))
        known = {each.name: getattr(picture, each.name) for each in fields(Picture)}
        return replace(frame, picture=Picture(**{**known, "values": (self._sum / self.count).astype(np.float32)}))


class ShownMeans:
    """At work beside the panels (`viz.app.Attached`): puts means in the place of pictures of the networks that `view` compares."""

    def __init__(self, view: ViewState) -> None:
        self.on = True
        self._view, self._means = view, {1: MeanPicture()}
        self._arrived: Frame | None = None
        self._given: Frame | None = None

    @property
    def count(self) -> int:
        """Pictures of the first view so far."""
        return self._means[1].count

    def each_frame(self, app: App) -> None:
        if app.good is None or app.good is self._given:
            return
        self._arrived, asked = app.good, app.good.request.view
        if self.on and all(asked.get(kind) == self._view.get(kind) for kind in (Source, Compare)):
            self._given = app.good = self.of(app.good)

    def of(self, frame: Frame) -> Frame:
        """The frame with means for pictures."""
        others = {n: replace(b, frame=self._means.setdefault(n, MeanPicture()).add(b.frame)) for n, b in frame.others.items()}
        return replace(self._means[1].add(frame), others=others)

    def latents(self, frame: Frame | None) -> Latents:
        """Over what each view's picture of this frame is the mean; nothing where they are pictures as they come."""
        return {n: tuple(mean.latents) for n, mean in self._means.items() if mean.count} if frame is self._given is not None else {}

    def switch(self, app: App, *, on: bool) -> None:
        """The means, begun anew; or the pictures as they come."""
        self.on, self._means = on, {1: MeanPicture()}
        if app.good is self._given:
            app.good, self._given = self._arrived, None

    def draw(self, app: App) -> None:
        """It is the canvas that draws."""

    def close(self) -> None:
        """Nothing is held but arrays."""


def with_latents(view: ViewState, latents: Latents) -> ViewState:
    """The view as a file carries it, from which `view` makes the same means again."""
    rest = {name: value for name, value in view.unknown.items() if name != IN_FILE}
    kept = {IN_FILE: {str(n): [list(at) for at in found] for n, found in latents.items()}} if latents else {}
    return ViewState(view.groups, MappingProxyType({**rest, **kept}))


def latents_in(view: ViewState) -> Latents:
    """What `with_latents` has put there. Raises StateError."""
    found = view.unknown.get(IN_FILE, {})
    try:
        return {int(n): [(finite(IN_FILE, x), finite(IN_FILE, y)) for x, y in places[:MOST]] for n, places in found.items()}
    except (AttributeError, TypeError, ValueError) as e:
        raise StateError(f"{IN_FILE} is {found!r:.80}; lists of latents by number of the view are expected") from e


def over_again(frame: Frame, ask: Callable[[ViewState], Frame]) -> Frame:
    """The answer to a view, with the means that the view carries latents of in the place of pictures. `ask` answers one view alone."""
    others = dict(frame.others)
    for n, places in latents_in(frame.request.view).items():
        alone = frame if n == 1 else others[n].frame if n in others else None
        mean, view = MeanPicture(), None if alone is None else alone.request.view.reset(*OF_ONE)
        shown = [mean.add(ask(view.edit(Latent, x=x, y=y))).picture for x, y in places][-1:] if view is not None else []
        if shown and n == 1:
            frame = replace(frame, picture=shown[0])
        elif shown:
            others[n] = replace(others[n], frame=replace(others[n].frame, picture=shown[0]))
    return replace(frame, others=others)

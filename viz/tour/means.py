"""The mean of the pictures that were shown, in their place: what stays of a walk. Of every view of a comparison, each by itself."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np

from viz.request import Frame, Picture
from viz.state import Compare, Latent, Source, ViewState

if TYPE_CHECKING:
    from viz.app import App


class MeanPicture:
    """Of one view: it begins anew where anything but the latent changes."""

    def __init__(self) -> None:
        self.count = 0
        self._sum = np.zeros(0)
        self._last: Picture | None = None
        self._scene: ViewState | None = None

    def add(self, frame: Frame) -> Frame:
        """The frame with the mean in place of its picture, which is counted once however often the frame comes."""
        picture, scene = frame.picture, frame.request.view.reset(Latent)
        if picture is None:
            return frame
        if scene != self._scene or picture.shape != self._sum.shape:
            self.count, self._scene, self._sum, self._last = 0, scene, np.zeros(picture.shape), None
        if picture is not self._last:
            self._last, self._sum, self.count = picture, self._sum + picture.values, self.count + 1
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

    def switch(self, app: App, *, on: bool) -> None:
        """The means, begun anew; or the pictures as they come."""
        self.on, self._means = on, {1: MeanPicture()}
        if app.good is self._given:
            app.good, self._given = self._arrived, None

    def draw(self, app: App) -> None:
        """It is the canvas that draws."""

    def close(self) -> None:
        """Nothing is held but arrays."""

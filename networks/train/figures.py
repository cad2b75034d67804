"""The Fréchet distance during training, with the label of its features: nobody should mistake one for another, or for a FID."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from networks.generator import Generator

from .features import Extractor, extractor
from .frechet import Moments, frechet_distance, moments
from .options import Options
from .processes import Processes, generator_for

BATCH = 16


class FrechetFigure:
    """Between real pictures, whose moments are measured once, and those of a network. Nothing is loaded before it is asked for."""

    def __init__(self, options: Options, processes: Processes) -> None:
        self._options, self._device = options, processes.device
        self._extractor: Extractor | None = None
        self._real: Moments | None = None

    @torch.no_grad()
    def of(self, network: Generator, real: Callable[[int], Iterable[Tensor]]) -> dict[str, float | str]:
        """The distance and its label, by name; nothing if no features were chosen. `real(count)` gives so many pictures, in parts
        [n, 3, R, R].
        """
        if self._options.frechet == "none":
            return {}
        if self._extractor is None:
            self._extractor = extractor(self._options.frechet, self._device)
        count, vectors = self._options.frechet_images, self._extractor.vectors
        if self._real is None:
            self._real = moments(vectors(part.to(self._device)) for part in real(count))
        z = torch.randn(count, network.z_dim, generator=generator_for(2, "measured"))
        shown = (network.synthesize(network.map(part.to(self._device))) for part in z.split(BATCH))
        distance = frechet_distance(self._real, moments(vectors(p.clamp(-1, 1)) for p in shown if p is not None))
        return {
            self._extractor.name: round(distance, 4),
            f"{self._extractor.name}_label": f"{self._extractor.label}, {count} pictures of each",
        }

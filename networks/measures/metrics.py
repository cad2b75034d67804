"""EQ-T, EQ-T_frac and EQ-R of a network over many samples: progressive, interruptible, the same however it is divided up.

Sample i draws its latent and its transforms from its own generator, seeded by (seed, i), so that batch size, order and
number of processes change nothing but the rounding of sums. Squared errors and counts are summed over samples before
the logarithm; the 95 % interval is that of a ratio of means, carried through the logarithm (delta method).

Torch is imported inside functions. Source: Karras et al. 2021, section 4.2 and appendix E.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from networks.measures.comparison import KINDS, Kind, difference, psnr_db
from networks.measures.patience import Stop, finished, synthesized

if TYPE_CHECKING:
    import torch

TRANSLATE_MAX = 1 / 8  # image widths, each axis
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, eq=False)
class Draw:
    """What sample `index` is: z [z_dim], a class (None for networks without), translations in image widths, an angle in radians."""

    index: int
    z: np.ndarray
    class_index: int | None
    translate: tuple[float, float]  # by whole pixels
    translate_frac: tuple[float, float]
    angle: float

    def matrix(self, kind: Kind) -> np.ndarray:
        """Forward 3x3 matrix of the transform that `kind` applies."""
        from torch_utils.resample import pose_matrix

        if kind == "eq_r":
            return pose_matrix(self.angle)
        return pose_matrix(0.0, *(self.translate if kind == "eq_t" else self.translate_frac))


@dataclass(frozen=True)
class SampleErrors:
    """Squared errors and valid counts of one sample, in the order of the kinds measured."""

    index: int
    squared_error: tuple[float, ...]
    valid: tuple[int, ...]


@dataclass(frozen=True)
class Estimate:
    """A pooled metric. `db` and the 95 % interval (`low`, `high`) are None where they do not exist, inf for no error at all."""

    db: float | None = None
    low: float | None = None
    high: float | None = None
    num: int = 0


@dataclass(frozen=True)
class Measurement:
    """Where a measurement stands: the samples so far, and what they say."""

    done: int
    total: int
    estimates: Mapping[Kind, Estimate]


def draw_sample(network: Any, seed: int, index: int) -> Draw:
    """Sample `index` of the measurement with this seed; needs `z_dim`, `c_dim` and `img_resolution` of the network.

    Translations are uniform in +-1/8 of the image on each axis (EQ-T: rounded to pixels), angles in +-180 degrees.
    """
    random = np.random.default_rng([seed, index])
    z = random.standard_normal(network.z_dim).astype(np.float32)
    tx, ty, fx, fy = random.uniform(-TRANSLATE_MAX, TRANSLATE_MAX, 4)
    angle = random.uniform(-math.pi, math.pi)
    class_index = int(random.integers(network.c_dim)) if network.c_dim else None
    size = network.img_resolution
    return Draw(index, z, class_index, (round(tx * size) / size, round(ty * size) / size), (fx, fy), angle)


def measure(
    network: Any,
    *,
    kinds: Sequence[Kind] = KINDS,
    num: int = 100,
    seed: int = 0,
    batch: int = 8,
    stop: Stop | None = None,
) -> Iterator[Measurement | None]:
    """Yields a Measurement after every batch, and None whenever `stop()` interrupts; end it by not asking for the next.

    `network` is a `networks.Generator`, and computes where it lies. A network without a grid to transform gets estimates that
    are all None. Raises ValueError for an unknown kind, or for `num` or `batch` below 1.
    """
    _check(kinds, num, batch)
    samples: list[SampleErrors] = []
    if not network.has_pose:
        yield Measurement(num, num, summarise(samples, kinds))
        return
    for start in range(0, num, batch):
        draws = [draw_sample(network, seed, index) for index in range(start, min(num, start + batch))]
        samples.extend((yield from _errors(network, draws, kinds, stop)))
        yield Measurement(len(samples), num, summarise(samples, kinds))


def sample_errors(
    network: Any,
    indices: Iterable[int],
    *,
    kinds: Sequence[Kind] = KINDS,
    seed: int = 0,
    batch: int = 8,
) -> Iterator[list[SampleErrors]]:
    """The errors of these samples, a batch at a time: the part of a measurement that processes can share."""
    pending = list(indices)
    for start in range(0, len(pending), batch):
        draws = [draw_sample(network, seed, index) for index in pending[start : start + batch]]
        yield errors_of_draws(network, draws, kinds)


def errors_of_draws(network: Any, draws: Sequence[Draw], kinds: Sequence[Kind] = KINDS) -> list[SampleErrors]:
    """The errors of one batch. Each transformed picture is made by itself: transforms differ, and a synthesis takes one."""
    return finished(_errors(network, draws, kinds, None))


def _errors(network: Any, draws: Sequence[Draw], kinds: Sequence[Kind], stop: Stop | None) -> Generator[None, None, list[SampleErrors]]:
    import torch

    with torch.inference_mode():
        ws = network.map(*latents_of(network, draws))
    bases = yield from synthesized(network, ws, stop)
    found = []
    for w, base, draw in zip(ws.split(1), bases, draws, strict=True):
        errors: list[tuple[float, int]] = []
        for kind in kinds:
            matrix = draw.matrix(kind)
            moved = (yield from synthesized(network, w, stop, pose=matrix))[0]
            with torch.inference_mode():
                compared = difference(base, moved, matrix, sampling_rate=network.img_resolution)
                errors.append((compared.squared_error, compared.valid))
        found.append(SampleErrors(draw.index, tuple(e for e, _ in errors), tuple(n for _, n in errors)))
    return found


def latents_of(network: Any, draws: Sequence[Draw]) -> tuple[torch.Tensor, torch.Tensor | None]:
    """z [N, z_dim] and c [N, c_dim] (None without classes) of these samples, where the network lies."""
    import torch

    place = network.w_avg.device
    z = torch.from_numpy(np.stack([draw.z for draw in draws])).to(place)
    if not network.c_dim:
        return z, None
    classes = torch.tensor([draw.class_index for draw in draws], device=place)
    return z, torch.nn.functional.one_hot(classes, network.c_dim).float()


# ---------------------------------------------------------------------------------------------------------- summing up


def summarise(samples: Iterable[SampleErrors], kinds: Sequence[Kind]) -> dict[Kind, Estimate]:
    """Pooled estimates; the order of the samples does not matter (they are summed by index)."""
    ordered = sorted(samples, key=lambda sample: sample.index)
    return {kind: estimate([s.squared_error[k] for s in ordered], [s.valid[k] for s in ordered]) for k, kind in enumerate(kinds)}


def estimate(squared_error: Sequence[float], valid: Sequence[int]) -> Estimate:
    """PSNR over samples and its 95 % interval from one sample on (the interval: from two on).

    With the mean square error r = sum E / sum n over N samples, var r = N / (N - 1) sum (E_i - r n_i)^2 / (sum n)^2, and
    the standard error of the dB value is 10 / ln 10 sqrt(var r) / r.
    """
    errors, counts = np.asarray(squared_error, dtype=np.float64), np.asarray(valid, dtype=np.float64)
    total, count, num = float(errors.sum()), float(counts.sum()), len(errors)
    db = psnr_db(total, int(count)) if num else None
    if db is None or num < 2 or not math.isfinite(db):
        return Estimate(db=db, num=num)
    mean = total / count
    variance = num / (num - 1) * float(((errors - mean * counts) ** 2).sum()) / count**2
    spread = NORMAL_95 * 10 / math.log(10) * math.sqrt(variance) / mean
    return Estimate(db, db - spread, db + spread, num)


def _check(kinds: Sequence[str], num: int, batch: int) -> None:
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise ValueError(f"kinds is {list(kinds)!r}; some of {', '.join(KINDS)} are expected")
    if num < 1 or batch < 1:
        raise ValueError(f"num is {num} and batch {batch}; both must be at least 1")

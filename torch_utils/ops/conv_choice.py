"""Which algorithm computes a convolution: a model of the cycles that each would take on one core, by shape.

The constants are measured (see `tests/bench/conv.py`); what matters is the ratio, so they serve for every instruction set. Each choice
is kept with its reason, for the performance panel.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

WINOGRAD_POINTS = 36
WINOGRAD_OUTPUTS = 16  # of a tile of 4 x 4
LANES = 16
MACS_PER_CYCLE = 2 * LANES
BF16_SPEEDUP = 1.85
BYTES_PER_CYCLE = 8.0  # weights streaming from memory, one core's share
INPUT_TRANSFORM = 220.0  # cycles for a vector of tiles of one channel
OUTPUT_TRANSFORM = 150.0
TILE = (8, 48)  # output channels and pixels of a product
PACK = {0: 4.0, 1: 7.0, 2: 15.0}  # cycles for a vector of samples, by Strassen's levels
AROUND = {0: 250.0, 1: 180.0, 2: 160.0}  # cycles beside each product of a tile: above all, its results on their way to memory
MACS_PER_THREAD = 1_000_000  # waking another thread costs more than this many


@dataclass(frozen=True, slots=True)
class ConvShape:
    """The sizes of a convolution of stride 1."""

    batch: int
    in_channels: int
    out_channels: int
    in_height: int
    in_width: int
    kernel: int
    padding: int

    @property
    def out_height(self) -> int:
        return self.in_height + 2 * self.padding - self.kernel + 1

    @property
    def out_width(self) -> int:
        return self.in_width + 2 * self.padding - self.kernel + 1

    @property
    def macs(self) -> int:
        """Multiplications of the definition, whatever the algorithm executes."""
        pixels = self.batch * self.out_height * self.out_width
        return pixels * self.out_channels * self.in_channels * self.kernel**2

    def __str__(self) -> str:
        return f"{self.in_channels} -> {self.out_channels} channels, {self.kernel}x{self.kernel}, {self.in_width}x{self.in_height}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The algorithm for a shape, "winograd", "strassen", "strassen2", "gemm" or "bf16", and the estimates that decided."""

    algorithm: str
    why: str


def _rounded(count: int, unit: int) -> int:
    return -(-count // unit) * unit


def _gemm_cycles(shape: ConvShape, speedup: float, weight_bytes: int) -> float:
    depth = shape.in_channels * shape.kernel**2
    pixels = shape.batch * _rounded(shape.out_height * shape.out_width, LANES)
    products = shape.out_channels * pixels * (depth / MACS_PER_CYCLE / speedup + AROUND[0] / (TILE[0] * TILE[1]))
    streaming = shape.out_channels * depth * weight_bytes / BYTES_PER_CYCLE
    return max(products, streaming) + depth * pixels / LANES * PACK[0]


def _strassen_cycles(shape: ConvShape, levels: int) -> float:
    """7^levels products of a 2^levels-th of the depth for as many panels of channels and tiles of pixels, instead of 8^levels.

    Pixels left over go through plain products.
    """
    rows, lanes = TILE
    parts = 2**levels
    sets, rest_channels = divmod(shape.out_channels, parts * rows)
    panels = sets + (0.0 if rest_channels == 0 else 0.5 if 2 * rest_channels <= parts * rows else 1.0)  # conv_strassen.h: HALF_ROWS
    depth = -(-shape.in_channels // parts)
    pixels = shape.out_height * shape.out_width
    groups = shape.batch * (pixels // (parts * lanes))
    rest = shape.batch * _rounded(pixels % (parts * lanes), LANES)
    product = depth * rows * lanes / MACS_PER_CYCLE
    plain = rest / lanes * parts * (parts * product + AROUND[0])
    products = panels * (groups * 7**levels * (product + AROUND[levels]) + plain)
    streaming = 7**levels * panels * rows * depth * 4 / BYTES_PER_CYCLE
    return max(products, streaming) + shape.in_channels / LANES * (groups * parts * lanes * PACK[levels] + rest * PACK[0])


def _winograd_cycles(shape: ConvShape) -> float:
    tiles = shape.batch * _rounded(_rounded(shape.out_height, 4) * _rounded(shape.out_width, 4) // WINOGRAD_OUTPUTS, LANES)
    products = WINOGRAD_POINTS * shape.out_channels * shape.in_channels * tiles / MACS_PER_CYCLE
    streaming = WINOGRAD_POINTS * shape.out_channels * shape.in_channels * 4 / BYTES_PER_CYCLE
    transforms = tiles / LANES * (INPUT_TRANSFORM * shape.in_channels + OUTPUT_TRANSFORM * shape.out_channels)
    return max(products, streaming) + transforms


def estimate(shape: ConvShape, *, bf16: bool = False) -> dict[str, float]:
    """Megacycles of one core for each algorithm that can compute `shape`."""
    cycles = {"gemm": _gemm_cycles(shape, 1.0, 4)}
    if shape.kernel == 3:
        cycles["winograd"] = _winograd_cycles(shape)
    if shape.kernel == 1 and shape.padding == 0:
        cycles["strassen"] = _strassen_cycles(shape, levels=1)
        cycles["strassen2"] = _strassen_cycles(shape, levels=2)
    if bf16:
        cycles["bf16"] = _gemm_cycles(shape, BF16_SPEEDUP, 2)
    return {name: count / 1e6 for name, count in cycles.items()}


def thread_count(shape: ConvShape, most: int) -> int:
    """How many of `most` threads are worth waking."""
    return max(1, min(most, shape.macs // MACS_PER_THREAD))


_choices: dict[tuple[ConvShape, bool], Choice] = {}
_lock = threading.Lock()
_MOST_CHOICES = 1024


def choose(shape: ConvShape, *, bf16: bool = False) -> Choice:
    """The cheapest algorithm by the model; `bf16` admits bfloat16 products."""
    key = (shape, bf16)
    choice = _choices.get(key)
    if choice is None:
        choice = _decide(shape, bf16=bf16)
        with _lock:
            if len(_choices) >= _MOST_CHOICES:
                _choices.clear()
            _choices[key] = choice
    return choice


def _decide(shape: ConvShape, *, bf16: bool) -> Choice:
    estimates = estimate(shape, bf16=bf16)
    best = min(estimates, key=lambda name: estimates[name])
    return Choice(best, ", ".join(f"{name} {estimates[name]:.2f}" for name in sorted(estimates, key=lambda n: estimates[n])) + " Mcycles")


def choices() -> tuple[tuple[ConvShape, Choice], ...]:
    """What was chosen so far, oldest first, for display."""
    with _lock:
        return tuple((shape, choice) for (shape, _), choice in _choices.items())

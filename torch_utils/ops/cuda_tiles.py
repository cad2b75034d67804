"""Convolutions by a kernel of our own on tensor cores: which calls, which tiles they are divided into, and their launches.

cuDNN computes 16 bits channels-last: for images in planes, as the kernels before and after want them, it turns them round twice and fills
channels up to eights, which together take longer than the products of T at 1024 pixels. `csrc/cuda/conv.cuh` reads planes, and the weight
W' = gain · d · W · s as fragments that `csrc/cuda/fragments.cuh` has written, zeros where a matrix ends. 3x3, of any channels, sizes and
padding; and in float32 1x1, for which an image is one row of pixels.

float32 is computed as three products of halves (`csrc/cuda/split.cuh`): each number is the sum of two, of 22 bits together, and what is
left out is 2^-22 of a product, as much as float32 itself rounds away; sums are float32's. For that factors must be of known size: only
calls with an input gain, which says how large activations are, and with demodulation, which says how large the weight is. An activation
more than 16,000 times larger than the gain says (or infinite) gives NaN where it is seen. `strict_float32` does without. The libraries'
1x1 need no other layout, so there the two are timed once for each size (`cuda_contest`), and the faster one is used.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from ..cuda_build import Kernel
from . import cuda_resample
from .cuda_contest import milliseconds
from .cuda_plan import TYPES

OLDEST = 80  # compute capability: the first with products of 16 x 8 x 16, and with copies that arrive later
KERNELS = {3: tuple(TYPES), 1: (torch.float32,)}  # sizes, and the types that they are computed in
STAGES = 3  # as in conv.cuh
TRIED = 6  # divisions, once for each size
MULTIPROCESSORS = 132  # where nobody can be asked

_POINTER, _LONG, _INT = ctypes.c_void_p, ctypes.c_longlong, ctypes.c_int


class ConvCall(ctypes.Structure):
    """The same structure in conv.cuh."""

    _fields_ = (
        [(name, _POINTER) for name in ("x", "y", "weight")]
        + [(name, _LONG) for name in ("x_image", "y_image", "weight_image", "x_plane", "y_plane")]
        + [("gain", _POINTER), ("factor", ctypes.c_float)]
        + [(name, _INT) for name in ("inputs", "outputs", "w", "h", "out_w", "out_h", "padding")]
        + [(name, _INT) for name in ("chunks", "tiles", "blocks_m", "blocks_x", "blocks_y")]
    )


@dataclass(frozen=True, slots=True)
class Tiles:
    """What a warp and a block compute: products of 16 outputs x 8 pixels, warps, columns of the block's pixels; blocks at once; and how."""

    tiles_m: int
    tiles_n: int
    warps_m: int
    warps_n: int
    columns: int
    resident: int
    ahead: bool = False  # factors come into registers a tap ahead, over barriers

    def __str__(self) -> str:
        return f"{self.outputs}x{self.pixels} by {self.warps_m}x{self.warps_n} warps" + self.ahead * ", ahead"

    @property
    def outputs(self) -> int:
        return 16 * self.tiles_m * self.warps_m

    @property
    def pixels(self) -> int:
        return 8 * self.tiles_n * self.warps_n

    @property
    def rows(self) -> int:
        return self.pixels // self.columns

    @property
    def threads(self) -> int:
        return 32 * self.warps_m * self.warps_n

    def shared_bytes(self, kernel: int, dtype: torch.dtype = torch.float16) -> int:
        image = 32 * (self.rows + kernel - 1) * (self.columns + kernel - 1)
        return parts_of(dtype) * (STAGES * 512 * kernel * (self.outputs // 16) + 2 * image)

    def blocks(self, outputs: int, height: int, width: int) -> tuple[int, int, int]:
        """Of an image: along outputs, columns, rows."""
        return -(-outputs // self.outputs), -(-width // self.columns), -(-height // self.rows)


VARIANTS = (
    Tiles(4, 8, 2, 4, 32, 1),  # 128 outputs x 256 pixels
    Tiles(4, 8, 2, 2, 32, 2),  # 128 x 128
    Tiles(3, 8, 2, 2, 32, 2),  # 96 x 128
    Tiles(4, 8, 1, 4, 32, 2),  # 64 x 256
    Tiles(3, 8, 1, 4, 32, 2),  # 48 x 256
    Tiles(2, 8, 1, 4, 32, 3),  # 32 x 256
    Tiles(2, 8, 2, 2, 16, 3),  # 64 x 128
    Tiles(2, 4, 2, 2, 8, 4),  # 64 x 64
)


SPLIT_VARIANTS = (  # for float32
    Tiles(2, 4, 4, 2, 8, 2),  # 128 x 64
    Tiles(4, 4, 2, 2, 8, 2),  # 128 x 64
    Tiles(2, 8, 2, 2, 16, 2),  # 64 x 128
    Tiles(2, 4, 2, 2, 8, 3),  # 64 x 64
    Tiles(2, 4, 1, 4, 16, 3),  # 32 x 128
)


ROW_VARIANTS = tuple(replace(tiles, columns=tiles.pixels) for tiles in SPLIT_VARIANTS)  # for 1x1


def variants(dtype: torch.dtype, kernel: int = 3) -> tuple[Tiles, ...]:
    """The divisions to choose from."""
    if dtype == torch.float32:
        return SPLIT_VARIANTS if kernel > 1 else ROW_VARIANTS
    return (*VARIANTS, *(replace(tiles, ahead=True) for tiles in VARIANTS))


def parts_of(dtype: torch.dtype) -> int:
    """Halves that a number is the sum of."""
    return 2 if dtype == torch.float32 else 1


@dataclass(frozen=True, slots=True)
class Extent:
    """What decides how long a convolution takes."""

    images: int
    inputs: int
    outputs: int
    out_height: int
    out_width: int
    kernel: int
    dtype: torch.dtype = torch.float16


def cycles(tiles: Tiles, extent: Extent, multiprocessors: int = MULTIPROCESSORS) -> float:
    """About how long this division takes on an H100: what the busiest multiprocessor has to do.

    As measured on one: a product of 16 x 8 x 16 takes it 1.24 cycles, 116 bytes to or from shared memory one more; beginning and end of a
    block 1500, and one for five results. Fewer than eight warps do not keep it busy.
    """
    blocks = extent.images
    for count in tiles.blocks(extent.outputs, extent.out_height, extent.out_width):
        blocks *= count
    most, chunks, parts = -(-blocks // multiprocessors), -(-extent.inputs // 16), parts_of(extent.dtype)
    warps, taps = tiles.warps_m * tiles.warps_n, extent.kernel**2
    products = warps * taps * tiles.tiles_m * tiles.tiles_n * (3 if parts == 2 else 1)
    stored = 512 * taps * tiles.outputs // 16 + 32 * (tiles.rows + extent.kernel - 1) * (tiles.columns + extent.kernel - 1)
    moved = parts * (stored + 512 * warps * taps * (tiles.tiles_m + tiles.tiles_n // 2))
    lazy = max(1.0, (8 / (warps * min(most, tiles.resident))) ** 0.2)
    return most * (chunks * (1.24 * products + moved / 116) * lazy + 1500 + 0.2 * tiles.outputs * tiles.pixels)


@lru_cache(maxsize=4096)
def candidates(extent: Extent, multiprocessors: int = MULTIPROCESSORS) -> tuple[Tiles, ...]:
    """The divisions that should take the least time, the best one first."""
    ranked = sorted(variants(extent.dtype, extent.kernel), key=lambda tiles: cycles(tiles, extent, multiprocessors))
    return tuple(ranked[:TRIED])


_best: dict[tuple[Extent, int, torch.device], Tiles] = {}  # as measured


def choose(x: Tensor, extent: Extent, padding: int, run: Callable[[Tiles], Tensor]) -> Tiles:
    """The division to compute this call with. On a GPU the few that should be best are timed once for each size, as cuDNN does, which waits
    for the GPU; not while a CUDA graph is recorded. All of them add up in the same order, and give the same bits.
    """
    if x.device.type != "cuda":
        return candidates(extent)[0]
    key = (extent, padding, x.device)
    found = _best.get(key)
    if found is None:
        tried = candidates(extent, _multiprocessors(x.device))
        if torch.cuda.is_current_stream_capturing():
            return tried[0]
        found = _best[key] = min(tried, key=lambda tiles: milliseconds(lambda: run(tiles)))
    return found


# ------------------------------------------------------------------------------------------ who uses it

faults: list[str] = []  # why the kernel is not used although the GPU could
split_faults: list[str] = []  # likewise, for float32
row_faults: list[str] = []  # likewise, for 1x1
_wanted: ContextVar[bool] = ContextVar("convolutions by our own kernel", default=True)
_split_wanted: ContextVar[bool] = ContextVar("float32 as three products of halves", default=True)


def _capable_gpu(device: torch.device) -> bool:
    return device.type == "cuda" and cuda_resample.capability_of(device) >= OLDEST


capable: Callable[[torch.device], bool] = _capable_gpu  # tests put here what they emulate


def by_libraries() -> AbstractContextManager[None]:
    """Within, this thread's convolutions are cuDNN's and cuBLAS's: for comparison. A recorded CUDA graph stays what it was."""
    return _without(_wanted)


def strict_float32() -> AbstractContextManager[None]:
    """Within, this thread's float32 convolutions are products of float32, by cuDNN: slower, and exact for activations of any size."""
    return _without(_split_wanted)


@contextmanager
def _without(wanted: ContextVar[bool]) -> Iterator[None]:
    token = wanted.set(False)
    try:
        yield
    finally:
        wanted.reset(token)


def all_faults() -> list[str]:
    """Why the kernel is not used, where it is not."""
    return [*faults, *split_faults, *row_faults]


def serves(x: Tensor, weight: Tensor, padding: int, *, scaled: bool) -> bool:
    """Whether the kernel can compute this call: 3 x 3, on a GPU that can; in float32, where the size of the factors is known (`scaled`),
    also 1 x 1 without padding.
    """
    height, width = weight.shape[2:]
    if faults or not _wanted.get() or height != width or x.dtype not in KERNELS.get(width, ()):
        return False
    if x.dtype == torch.float32 and not (scaled and _split_wanted.get() and not split_faults):
        return False
    if width == 1 and (padding != 0 or row_faults):
        return False
    return padding >= 0 and min(x.shape[2:]) + 2 * padding >= width and capable(x.device)


@lru_cache(maxsize=16)
def _multiprocessors(device: torch.device) -> int:
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else MULTIPROCESSORS


# ------------------------------------------------------------------------------------------ launches


def room(images: int, weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Where the fragments of W' go, [images, chunks, taps, tiles, 256], of as many bytes as `dtype` has; the kernel writes all of it."""
    outputs, inputs, *kernel = weight.shape
    shape = (images, -(-inputs // 16), kernel[0] * kernel[1], -(-outputs // 16), 256)
    return torch.empty(shape, dtype=dtype, device=weight.device)


@dataclass(frozen=True, slots=True, eq=False)
class Gain:
    """The input gain, as kernels take it: a number on the device, if there is one, times one that the host knows."""

    tensor: Tensor | None
    factor: float

    @classmethod
    def of(cls, input_gain: Tensor | None) -> Gain:
        if input_gain is None:
            return cls(None, 1.0)
        if input_gain.device.type == "cpu":
            return cls(None, float(input_gain))
        return cls(input_gain.detach().float().contiguous(), 1.0)

    @property
    def pointer(self) -> int | None:
        return None if self.tensor is None else self.tensor.data_ptr()


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """A weight as fragments, and what it was multiplied by: float32 is scaled by that."""

    fragments: Tensor
    outputs: int
    gain: Gain


def correlate(x: Tensor, weight: Factor, padding: int, tiles: Tiles | None = None) -> Tensor:
    """Images [N, I, H, W] with a weight for each: [N, outputs, ...], in planes. One launch."""
    x, fragments, outputs = x.contiguous(), weight.fragments, weight.outputs
    kernel = 3 if fragments.shape[2] == 9 else 1
    if kernel == 1 and x.shape[2] > 1:  # an image as one row, which tiles cover without a rest
        return correlate(x.flatten(2)[:, :, None], weight, padding, tiles).unflatten(3, x.shape[2:]).squeeze(2)
    images, inputs, height, width = x.shape
    out_height, out_width = height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1
    extent = Extent(images, inputs, outputs, out_height, out_width, kernel, x.dtype)
    tiles = tiles or choose(x, extent, padding, lambda tiles: correlate(x, weight, padding, tiles))
    y = torch.empty((images, outputs, out_height, out_width), dtype=x.dtype, device=x.device)
    blocks = tiles.blocks(outputs, out_height, out_width)
    chunks, count = fragments.shape[1], fragments.shape[3]
    call = ConvCall(
        *(x.data_ptr(), y.data_ptr(), fragments.data_ptr()),
        *(inputs * height * width, outputs * out_height * out_width, chunks * kernel * kernel * count * parts_of(x.dtype)),
        *(height * width, out_height * out_width, weight.gain.pointer, weight.gain.factor),
        *(inputs, outputs, width, height, out_width, out_height, padding, chunks, count, *blocks),
    )
    pairs_in = width % 2 == 0 and padding % 2 == 0 and x.data_ptr() % 4 == 0
    made = kernel_of(tiles, x.dtype, kernel, pairs_in=pairs_in, pairs_out=out_width % 2 == 0)
    cuda_resample.launch(made, images * blocks[0] * blocks[1] * blocks[2], tiles.shared_bytes(kernel, x.dtype), call, x.device)
    return y


@lru_cache(maxsize=256)
def kernel_of(tiles: Tiles, dtype: torch.dtype, kernel: int, *, pairs_in: bool, pairs_out: bool) -> Kernel:
    """The variant for these tiles. `pairs_in`, `pairs_out`: rows of images begin at even elements, borders lie between pairs."""
    sizes = {
        **{"TYPE": TYPES[dtype], "KERNEL": kernel, "TILES_M": tiles.tiles_m, "TILES_N": tiles.tiles_n, "WARPS_M": tiles.warps_m},
        **{"WARPS_N": tiles.warps_n, "COLUMNS": tiles.columns, "RESIDENT": tiles.resident, "AHEAD": int(tiles.ahead)},
        **{"PAIRS_IN": int(pairs_in), "PAIRS_OUT": int(pairs_out)},
    }
    return Kernel("conv", tuple(sizes.items()), tiles.threads)

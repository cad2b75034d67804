"""Modulated convolution on CUDA: one small kernel puts styles, demodulation and gain into the weight, torch's libraries convolve.

y = conv(x, W'), W' = gain · d · W · s. For one image this moves the weights once, some 100 MB for a whole network, where scaling the
convolution's input and output would move every activation twice more, some 4 GB at 1024 pixels; so the definition's identity
conv(x, W') = d · conv(x · s, W) is used the other way round here. W stays a constant of the network, of which only the energy is kept.

Kernels of 3x3 are computed by a kernel of our own on tensor cores (`cuda_tiles`), from sm_80 on, float32 as three products of halves; in
float32 also kernels of 1x1, where that is faster on this GPU (`cuda_contest`). The rest, and these too within `cuda_tiles.by_libraries()`
or where that kernel was found wrong, are the libraries'. For them 1x1 kernels are matrix products, W' (O x I) by x (I x HW), which need
no other layout than the images have. Larger ones go through cuDNN, which may try its algorithms once for each size in 16 bits (in float32
some of them take tens of GiB to be tried); a batch of those is scaled before and after, W being the same for all. Tensor cores read eight
16-bit numbers at once, and the libraries take kernels several times slower where a matrix does not allow it; the paper's channels are 161,
102, 51: so W' is laid out with room up to a multiple of eight, outputs innermost for a matrix product, which then needs no more of x; a
convolution needs x with as many channels more.

The libraries' float32 is exact: cuDNN may not round to TF32, products only where `torch.backends.cuda.matmul` allows it, which is not
its default. 16-bit weights are rounded once, from the float32 product; with demodulation no output channel's weight is larger than 1
times the gain, so that nothing overflows on the way whatever the styles. Forward only.
"""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from ..cuda_build import CudaUnavailable, Kernel
from ..cuda_driver import describe
from . import cuda_contest, cuda_resample, cuda_tiles
from .backend import Call, Implementation, Unavailable
from .cuda_plan import TYPES
from .cuda_tiles import Extent, Factor, Gain, Tiles
from .dispatch import register
from .modulated_conv2d import EPSILON, ModulatedConvOptions, modulated_conv2d_reference, weight_energy
from .reference import full_precision

_THIN = 3  # channels: of pictures, which are not worth filling up to eight

_log = logging.getLogger(__name__)
_energies: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
_lock = threading.Lock()


class ModulateCall(ctypes.Structure):
    """The same structure in modulate.cuh."""

    _fields_ = (
        [(name, ctypes.c_void_p) for name in ("weight", "styles", "energy", "gain", "out")]
        + [(name, ctypes.c_longlong) for name in ("out_image", "out_output", "out_input")]
        + [("factor", ctypes.c_float)]
        + [(name, ctypes.c_int) for name in ("outputs", "inputs", "taps")]
    )


def energy_of(weight: Tensor) -> Tensor:
    """E' [O, I] with which the demodulation is 1 / sqrt(s² E'ᵀ), kept as long as the weight lives unchanged."""
    if weight.is_inference():  # torch counts no changes of these
        return _energy(weight)
    with _lock:
        kept, state = _energies.get(weight), (weight._version, weight.data_ptr())
        if kept is None or kept[0] != state:
            with torch.inference_mode(False), torch.no_grad():
                kept = (state, _energy(weight))
            _energies[weight] = kept
        return kept[1]


def _energy(weight: Tensor) -> Tensor:
    energy = weight_energy(weight.detach().float())
    return (energy + EPSILON * energy.mean(1, keepdim=True) / energy.shape[1]).contiguous()


def _eights(count: int) -> int:
    return -(-count // 8) * 8


def _room(images: int, shape: torch.Size, dtype: torch.dtype, device: torch.device, *, in_eights: bool) -> Tensor:
    """Where W' [N, O, I, k, k] goes; `in_eights`: outputs (and inputs, for k > 1) up to multiples of eight, those beyond being 0."""
    outputs, inputs, height, width = shape
    if not in_eights:
        return torch.empty((images, *shape), dtype=dtype, device=device)
    if height * width == 1:
        return torch.zeros((images, inputs, _eights(outputs), 1, 1), dtype=dtype, device=device).transpose(1, 2)
    return torch.zeros((images, _eights(outputs), _eights(inputs), height, width), dtype=dtype, device=device)


def modulated_weight(
    weight: Tensor, styles: Tensor, input_gain: Tensor | None, dtype: torch.dtype, *, demodulate: bool, in_eights: bool = False
) -> Tensor:
    """W' [N, O, I, k, k] in `dtype`, for weight [O, I, k, k] and styles [N, I]: one launch. `in_eights`: see `_room`."""
    out = _room(styles.shape[0], weight.shape, dtype, weight.device, in_eights=in_eights)
    _modulate("modulate", weight, styles, input_gain, out, demodulate=demodulate)
    return out


def _modulate(name: str, weight: Tensor, styles: Tensor, input_gain: Tensor | None, out: Tensor, *, demodulate: bool) -> None:
    """One launch of `modulate`, which writes W' with the strides of `out`, or `fragments`, which writes it for tensor cores."""
    weight32, styles = weight.detach().float().contiguous(), styles.detach().float().contiguous()
    energy = energy_of(weight) if demodulate else None
    gain = Gain.of(input_gain)
    outputs, inputs, *kernel = weight.shape
    pointers = (None if t is None else t.data_ptr() for t in (weight32, styles, energy, gain.tensor, out))
    call = ModulateCall(*pointers, *out.stride()[:3], gain.factor, outputs, inputs, kernel[0] * kernel[1])
    blocks = styles.shape[0] * (outputs if name == "modulate" else -(-outputs // 16) * 16)
    cuda_resample.launch(Kernel(name, (("TYPE", TYPES[out.dtype]),)), blocks, 0, call, weight.device)


def factor_of(x: Tensor, weight: Tensor, styles: Tensor, input_gain: Tensor | None, *, demodulate: bool) -> Factor:
    """W' for each image of x, in its type, as `cuda_tiles.correlate` takes it: one launch."""
    fragments = cuda_tiles.room(x.shape[0], weight, x.dtype)
    _modulate("fragments", weight, styles, input_gain, fragments, demodulate=demodulate)
    return Factor(fragments, weight.shape[0], Gain.of(input_gain))


def convolve_in_tiles(
    x: Tensor, weight: Tensor, styles: Tensor, input_gain: Tensor | None, options: ModulatedConvOptions, tiles: Tiles | None = None
) -> Tensor:
    """`modulated_conv2d` for calls that `cuda_tiles.serves`, each image with its own W': two launches. `tiles`, if not the best ones."""
    made = factor_of(x, weight, styles, input_gain, demodulate=options.demodulate)
    return cuda_tiles.correlate(x.detach(), made, options.padding, tiles)


@contextmanager
def _algorithms_tried(dtype: torch.dtype) -> Iterator[None]:
    """In 16 bits cuDNN times its algorithms for each new size, and remembers the best; not where runs must come out the same again."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = dtype != torch.float32 and not torch.are_deterministic_algorithms_enabled()
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def convolve(x: Tensor, weight: Tensor, padding: int) -> Tensor:
    """Correlation by cuDNN, at full precision; both in plain layout, as the kernels before and after want them."""
    with full_precision(x), _algorithms_tried(x.dtype), torch.no_grad():
        return F.conv2d(x.contiguous(), weight, padding=padding)


def modulated_conv2d_cuda(x: Tensor, weight: Tensor, styles: Tensor, input_gain: Tensor | None, options: ModulatedConvOptions) -> Tensor:
    """`modulated_conv2d` for calls that `_refuses` does not refuse."""
    x = x.detach().resolve_neg()
    if not cuda_tiles.serves(x, weight, options.padding, scaled=options.demodulate and input_gain is not None):
        return convolve_by_libraries(x, weight, styles, input_gain, options)
    if weight.shape[2] == 1:
        extent = Extent(x.shape[0], weight.shape[1], weight.shape[0], 1, x.shape[2] * x.shape[3], 1, x.dtype)
        ways = [partial(way, x, weight, styles, input_gain, options) for way in (convolve_in_tiles, convolve_by_libraries)]
        if not cuda_contest.faster(x.device, extent, *ways):
            return ways[1]()
    return convolve_in_tiles(x, weight, styles, input_gain, options)


def convolve_by_libraries(x: Tensor, weight: Tensor, styles: Tensor, input_gain: Tensor | None, options: ModulatedConvOptions) -> Tensor:
    """`modulated_conv2d` by cuDNN and cuBLAS, for calls that `_refuses` does not refuse."""
    images, outputs, inputs, kernel = x.shape[0], *weight.shape[:2], list(weight.shape[2:])
    unaligned = x.dtype != torch.float32 and (outputs % 8 > 0 or inputs % 8 > 0)
    if kernel == [1, 1] and options.padding == 0:
        in_eights = unaligned and images == 1
        made = modulated_weight(weight, styles, input_gain, x.dtype, demodulate=options.demodulate, in_eights=in_eights)
        columns = x.contiguous().flatten(2)
        y = torch.mm(made[0, :, :, 0, 0], columns[0])[None, :outputs] if images == 1 else torch.bmm(made[..., 0, 0], columns)
        return y.unflatten(2, x.shape[2:])
    if images > 1 and options.demodulate:
        return _batch(x, weight, styles, input_gain, options.padding)
    in_eights = unaligned and min(outputs, inputs) > _THIN
    made = modulated_weight(weight, styles, input_gain, x.dtype, demodulate=options.demodulate, in_eights=in_eights)
    if made.shape[2] > inputs:
        x = F.pad(x, (0, 0, 0, 0, 0, made.shape[2] - inputs))
    pictures = [convolve(x[n : n + 1], made[n], options.padding)[:, :outputs] for n in range(images)]
    return pictures[0] if images == 1 else torch.cat(pictures)


def _batch(x: Tensor, weight: Tensor, styles: Tensor, input_gain: Tensor | None, padding: int) -> Tensor:
    """Styles before, demodulation after. The weight is made with styles of 1 and demodulated by them, so that it is of unit size for
    16 bits; the styles likewise, and what that took out is put back at the end.
    """
    styles, tiny = styles.detach().float(), torch.finfo(torch.float32).tiny
    made = modulated_weight(weight, styles.new_ones(1, styles.shape[1]), input_gain, x.dtype, demodulate=True)[0]
    styles = styles / styles.square().mean(1, keepdim=True).clamp_min(tiny).sqrt()
    y = convolve(torch.mul(x, styles[:, :, None, None], out=torch.empty_like(x)), made, padding)
    energy = energy_of(weight)
    return y.mul_((energy.sum(1) / (styles.square() @ energy.T).clamp_min(tiny)).sqrt()[:, :, None, None])


def sample(device: str, kernel: int, images: int, inputs: int = 8) -> tuple[Tensor, Tensor, Tensor, Tensor, ModulatedConvOptions]:
    """The arguments of a small call."""
    outputs = 2 * inputs
    x = torch.linspace(-3, 3, images * inputs * 16 * 16, device=device).sin().reshape(images, inputs, 16, 16)
    weight = torch.linspace(0, 40, outputs * inputs * kernel**2, device=device).cos().reshape(outputs, inputs, kernel, kernel)
    styles = torch.linspace(0.5, 2, images * inputs, device=device).reshape(images, inputs)
    return x, weight, styles, torch.tensor(0.7, device=device), ModulatedConvOptions(demodulate=True, padding=kernel - 1)


_CHECKED = (  # kernel, images, inputs, type, bound: each way that a call can take
    *((kernel, images, 8, torch.float32, 1e-4) for kernel in (1, 3) for images in (1, 2)),
    *((kernel, 1, 9, torch.float16, 2e-2) for kernel in (1, 3)),
)


def check_convolution(device: str) -> None:
    """Compare small calls with the definition, so that what fails on a GPU is not used on it. Raises Unavailable; not for a capture."""
    with torch.no_grad():
        for kernel, images, inputs, dtype, bound in _CHECKED:
            x, *rest = sample(device, kernel, images, inputs)
            try:
                y = modulated_conv2d_cuda(x.to(dtype), *rest)  # type: ignore[arg-type]
                error = (y - modulated_conv2d_reference(x, *rest)).abs().max().item()  # type: ignore[arg-type]
            except (RuntimeError, CudaUnavailable) as failure:
                raise Unavailable(f"the modulated convolution does not run on this GPU: {failure}") from failure
            if not error <= bound:
                raise Unavailable(f"the modulated convolution differs from its definition by {error:.1e} on this GPU; please report it")


def check_tiles(device: str) -> None:
    """Compare calls of the kernel for tensor cores with the definition; where it is wrong, the libraries compute instead, and
    `cuda_tiles.all_faults` tells why. float32 must be float32: its samples add up 2304 products, and 512.
    """
    for kernel, dtype, inputs, bound, faults in (
        (3, torch.float16, 19, 2e-3, cuda_tiles.faults),
        (3, torch.float32, 256, 2e-6, cuda_tiles.split_faults),
        (1, torch.float32, 512, 2e-6, cuda_tiles.row_faults),
    ):
        x, weight, styles, gain, options = sample(device, kernel, 1, inputs)
        x = x.to(dtype)
        if not cuda_tiles.serves(x, weight, options.padding, scaled=True):
            continue
        expected = modulated_conv2d_reference(x.double(), weight.double(), styles.double(), gain.double(), options)
        for tiles in (cuda_tiles.variants(dtype, kernel)[0], cuda_tiles.variants(dtype, kernel)[-1]):
            try:
                y = convolve_in_tiles(x, weight, styles, gain, options, tiles)
                fault = ((y - expected).abs().max() / expected.abs().max()).item()
            except (RuntimeError, CudaUnavailable) as failure:
                fault = failure
            if not isinstance(fault, float) or not fault <= bound:
                told = f"differs by {fault:.1e}" if isinstance(fault, float) else str(fault)
                kind = f"{kernel}x{kernel} convolutions in {str(dtype).removeprefix('torch.')}"
                faults.append(f"our own kernel of {kind} on tensor cores is not used, please report it: {told}")
                _log.warning("%s", faults[-1])
                break


@lru_cache(maxsize=1)
def _available() -> str:
    description = describe()
    with torch.no_grad():
        check_tiles("cuda")
    with cuda_tiles.by_libraries():
        check_convolution("cuda")
    return f"{description}, cuDNN {torch.backends.cudnn.version()}; {_own()}"


def _own() -> str:
    """Which convolutions the libraries do not compute."""
    if cuda_tiles.faults:
        return cuda_tiles.faults[0]
    if not cuda_tiles.capable(torch.device("cuda")):
        return f"all 3x3 too, before sm_{cuda_tiles.OLDEST}"
    split = "float32 as three products of halves where the input gain is known, 1x1 too where that is faster"
    return "; ".join(["3x3 by a kernel of our own on tensor cores", *(cuda_tiles.all_faults() or [split])])


def _refuses(call: Call) -> str | None:
    x, weight, styles, input_gain = call.tensors
    assert x is not None and weight is not None and styles is not None
    if x.dtype not in TYPES:
        return f"takes 16- and 32-bit types, not {x.dtype}"
    if torch.float64 in (weight.dtype, styles.dtype):
        return "weight or styles are float64"
    if input_gain is not None and input_gain.dtype == torch.float64 and len(input_gain.shape) > 0:
        return "input_gain is float64"
    return "nothing to compute" if 0 in x.shape else None


register(
    Implementation(
        "modulated_conv2d", "cuda", modulated_conv2d_cuda,
        available=_available, refuses=_refuses, devices=("cuda",), tells=cuda_contest.told,
    )
)  # fmt: skip

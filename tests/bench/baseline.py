"""Filtered leaky ReLU computed literally from the operator's definition: the fair baseline that speed-ups are quoted against.

Zeros are inserted, the padded image is filtered by a grouped convolution for each axis (one for a 2-D filter), and bias, leaky ReLU, gain
and clamp are passes of their own. A heap that keeps its memory (`keep_memory`) is part of being fair: with the default one, most of the
time goes into fresh pages.
"""

import ctypes
import platform

import torch.nn.functional as F
from torch import Tensor

_M_MMAP_MAX, _M_TRIM_THRESHOLD, _M_TOP_PAD = -4, -1, -2


def keep_memory() -> bool:
    """Make glibc's heap keep what it was given, in this process. Call before the first large allocation; False where there is no glibc."""
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL("libc.so.6")
    library.mallopt(_M_MMAP_MAX, 0)
    library.mallopt(_M_TRIM_THRESHOLD, -1)
    library.mallopt(_M_TOP_PAD, 256 << 20)
    return True


def filtered_lrelu_baseline(
    x: Tensor,
    fu: Tensor,
    fd: Tensor,
    b: Tensor,
    *,
    up: int,
    down: int,
    padding: tuple[int, int, int, int],
    gain: float,
    slope: float,
    clamp: float,
) -> Tensor:
    """As `torch_utils.ops.filtered_lrelu` with equal factors in both axes."""
    x = x + b[None, :, None, None]
    x = _filter(_insert_zeros(x, up, padding), fu * (up if fu.ndim == 1 else up * up))
    x = F.leaky_relu(x, slope)
    x = x * gain
    x = x.clamp(-clamp, clamp)
    return _filter(x, fd)[:, :, ::down, ::down]


def _insert_zeros(x: Tensor, up: int, padding: tuple[int, int, int, int]) -> Tensor:
    n, c, h, w = x.shape
    x = F.pad(x.reshape(n, c, h, 1, w, 1), (0, up - 1, 0, 0, 0, up - 1))
    return F.pad(x.reshape(n, c, h * up, w * up), padding)


def _filter(x: Tensor, f: Tensor) -> Tensor:
    c = x.shape[1]
    f = f.flip(tuple(range(f.ndim)))
    if f.ndim == 2:
        return F.conv2d(x, f.expand(c, 1, *f.shape), groups=c)
    x = F.conv2d(x, f.expand(c, 1, 1, -1), groups=c)
    return F.conv2d(x, f[:, None].expand(c, 1, -1, 1), groups=c)

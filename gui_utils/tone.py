"""From values to colours, on the CPU: the definition that the shader in `gui_utils.picture` follows to the last bit but one.

Used for exported pictures, so that a file shows what the screen shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gui_utils import colormap_data
from gui_utils.sampling import AxisTable, axis_table

BACKGROUND = (0.11, 0.11, 0.11)  # around pictures: neutral, dark
NOT_FINITE = (1.0, 0.0, 1.0)  # NaN and infinities
MASKED = 0.35  # brightness where the validity mask is 0
COLORMAPS = ("gray", "viridis", "magma", "cividis", "diverging")


@dataclass(frozen=True)
class ToneMap:
    """t = gain * value + offset, shown from -1 to 1 (`signed`) or from 0 to 1; `colormap` is for pictures of one channel.

    "diverging" is always signed: its middle is at 0.
    """

    gain: float = 1.0
    offset: float = 0.0
    signed: bool = True
    colormap: str = "gray"

    @staticmethod
    def from_db(gain_db: float, **rest: float | bool | str) -> ToneMap:
        """A gain in decibels of amplitude: 10^(dB / 20)."""
        return ToneMap(gain=10.0 ** (gain_db / 20), **rest)  # type: ignore[arg-type]

    def affine(self, channels: int) -> tuple[float, float]:
        """(a, b) with a * value + b from 0 to 1 over the shown range."""
        if self.signed or (self.colormap == "diverging" and channels == 1):
            return self.gain / 2, (self.offset + 1) / 2
        return self.gain, self.offset


@dataclass(frozen=True)
class PictureView:
    """What part of a picture to show, how large, and how.

    source: (x0, y0, x1, y1) in samples; sample (0, 0) covers [0, 1) x [0, 1); fractions and outside are allowed.
    size: (width, height) in framebuffer pixels.   magnify: "nearest", "bicubic" or "lanczos".
    brightness: 1, or less for a picture that is out of date.   background: around it, red, green and blue from 0 to 1.
    """

    source: tuple[float, float, float, float]
    size: tuple[int, int]
    tone: ToneMap = ToneMap()
    magnify: str = "lanczos"
    brightness: float = 1.0
    background: tuple[float, float, float] = BACKGROUND

    def tables(self, width: int, height: int) -> tuple[AxisTable, AxisTable]:
        """Filters along x and y for a source of `width` x `height` samples."""
        x0, y0, x1, y1 = self.source
        return axis_table(width, x0, x1, self.size[0], self.magnify), axis_table(height, y0, y1, self.size[1], self.magnify)


@lru_cache(maxsize=8)
def colormap_table(name: str) -> np.ndarray:
    """The colormap as float32 [257, 3], 0 to 1; entry 128 is its exact middle."""
    if name not in COLORMAPS:
        raise ValueError(f"colormap is {name!r}; one of {', '.join(COLORMAPS)} is expected")
    position = np.linspace(0, 1, 257)
    if name == "gray":
        table = np.repeat(position[:, None], 3, axis=1)
    elif name == "diverging":
        table = _diverging(position * 2 - 1)
    else:
        raw = np.frombuffer(bytes.fromhex(getattr(colormap_data, name.upper())), np.uint8).reshape(256, 3) / 255
        table = np.stack([np.interp(position, np.linspace(0, 1, 256), raw[:, c]) for c in range(3)], axis=1)
    table = table.astype(np.float32)
    table.setflags(write=False)
    return table


def _diverging(x: np.ndarray) -> np.ndarray:
    """Blue, light grey at x = 0, orange-red: a path in Oklab whose lightness depends on |x| only (Ottosson 2020)."""
    lightness = 0.95 - 0.55 * np.abs(x)
    chroma = 0.16 * np.sin(np.pi * np.minimum(np.abs(x), 1) ** 0.85 * 0.62)
    hue = np.where(x < 0, np.deg2rad(255), np.deg2rad(45))
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    lms = lightness[:, None] + np.stack([0.3963377774 * a + 0.2158037573 * b, -0.1055613458 * a - 0.0638541728 * b,
                                         -0.0894841775 * a - 1.2914855480 * b], axis=1)  # fmt: skip
    to_rgb = np.array([[4.0767416621, -3.3077115913, 0.2309699292], [-1.2684380046, 2.6097574011, -0.3413193965],
                       [-0.0041960863, -0.7034186147, 1.7076147010]])  # fmt: skip
    linear = np.clip(lms**3 @ to_rgb.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def colorize(t: np.ndarray, colormap: str) -> np.ndarray:
    """Colours of positions `t` (0 to 1, clipped): float32 [..., 3], linear between table entries."""
    table = colormap_table(colormap)
    position = np.clip(t, 0, 1).astype(np.float32) * np.float32(256)
    low = np.minimum(position.astype(np.int32), 255)
    part = (position - low)[..., None]
    return table[low] * (1 - part) + table[low + 1] * part


def tone_map(values: np.ndarray, tone: ToneMap = ToneMap()) -> np.ndarray:
    """uint8 [H, W, 3] from float [H, W] or [H, W, C]; one channel through the colormap, three as red, green, blue (a fourth is ignored).

    Values that are not finite become magenta.
    """
    values = values[:, :, None] if values.ndim == 2 else values[:, :, :3]
    return _to_bytes(_colors(values.astype(np.float32), tone, _not_finite(values)))


def _colors(values: np.ndarray, tone: ToneMap, bad: np.ndarray) -> np.ndarray:
    channels = values.shape[2]
    a, b = tone.affine(channels)
    with np.errstate(invalid="ignore", over="ignore"):
        t = np.where(np.isfinite(values), values, 0) * np.float32(a) + np.float32(b)
    if channels == 1:
        rgb = colorize(t[:, :, 0], tone.colormap)
    else:
        rgb = np.zeros((*t.shape[:2], 3), np.float32)
        rgb[:, :, :channels] = np.clip(t, 0, 1)
    rgb[bad] = NOT_FINITE
    return rgb


def _not_finite(values: np.ndarray) -> np.ndarray:
    return np.asarray(~np.isfinite(values).all(axis=2))


def _to_bytes(rgb: np.ndarray) -> np.ndarray:
    return np.floor(rgb * 255 + 0.5).astype(np.uint8)


def paint(values: np.ndarray, view: PictureView, mask: np.ndarray | None = None) -> np.ndarray:
    """What `PicturePainter.draw` shows, computed with numpy: uint8 [view.size[1], view.size[0], 3].

    values: float [H, W] or [H, W, C].   mask: float [H, W], 1 where the picture is valid, 0 where it is not.
    """
    values = (values[:, :, None] if values.ndim == 2 else values[:, :, :3]).astype(np.float32)
    height, width = values.shape[:2]
    table_x, table_y = view.tables(width, height)
    bad = _not_finite(values)
    rows, row_bad = _filter(values.transpose(1, 0, 2), bad.T, table_x)
    pixels, pixel_bad = _filter(rows.transpose(1, 0, 2), row_bad.T, table_y)
    rgb = _colors(pixels, view.tone, pixel_bad)
    if mask is not None:
        valid, _ = _filter(mask.T[:, :, None].astype(np.float32), np.zeros(mask.T.shape, bool), table_x)
        valid, _ = _filter(valid.transpose(1, 0, 2), np.zeros(valid.shape[1::-1], bool), table_y)
        rgb = rgb * (MASKED + (1 - MASKED) * np.clip(valid, 0, 1))
    inside = (table_y.coverage[:, None] * table_x.coverage[None, :])[:, :, None]
    return _to_bytes(np.array(view.background, np.float32) * (1 - inside) + rgb * np.float32(view.brightness) * inside)


def resampled(values: np.ndarray, view: PictureView) -> np.ndarray:
    """What `paint` shows before its colours: float32 [view.size[1], view.size[0], C], nan where nothing is, or is not finite."""
    values = (values[:, :, None] if values.ndim == 2 else values[:, :, :3]).astype(np.float32)
    table_x, table_y = view.tables(values.shape[1], values.shape[0])
    bad = _not_finite(values)
    rows, row_bad = _filter(values.transpose(1, 0, 2), bad.T, table_x)
    pixels, pixel_bad = _filter(rows.transpose(1, 0, 2), row_bad.T, table_y)
    outside = (table_y.coverage[:, None] * table_x.coverage[None, :]) <= 0
    pixels[pixel_bad | outside] = np.nan
    return pixels


def _filter(values: np.ndarray, bad: np.ndarray, table: AxisTable) -> tuple[np.ndarray, np.ndarray]:
    """Filter the first axis of [n, m, c]. Values that are not finite count for nothing, and mark the pixel they lie in."""
    values = np.where(bad[:, :, None], 0, values)
    total = np.zeros((len(table.start), *values.shape[1:]), np.float32)
    weight = np.zeros((*total.shape[:2], 1), np.float32)
    marked = np.zeros(total.shape[:2], bool)
    for k in range(table.weights.shape[1]):
        index = np.clip(table.start + k, 0, len(values) - 1)
        good = table.weights[:, k, None, None] * ~bad[index][:, :, None]
        total += good * values[index]
        weight += good
        marked |= table.core[:, k, None] & bad[index]
    return total / np.where(weight == 0, 1, weight), marked

"""Frames to files: PNG or EXR sequence, MP4, WebM, GIF. One class for films, one for sequences, the same few methods.

Films are written beside their final name (`.part`) and take that name when they are complete. An MP4 is fragmented while it
grows, so that what was written before a crash can be played.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image, PngImagePlugin

from torch_utils.atomic import atomic
from torch_utils.picture_file import opened_picture
from viz import capture
from viz.capture import COMMAND_KEY
from viz.errors import CommandError
from viz.export import exr_file
from viz.session import origin

SESSION_KEY, FRAME_KEY, VALUES_KEY = "aliasfree-session", "aliasfree-frame", "aliasfree-values"
NO_VIDEO = 'Films need the package "av": python -m pip install "aliasfree-visualizer[video]" (a PNG sequence does not).'
LARGEST_SIDE = 16384


class ExportError(CommandError):
    """An export stopped: one sentence says at which frame, why, and what is left."""


@dataclass(frozen=True)
class Format:
    """How a film is encoded. `options` go to the encoder, `container` to the file format."""

    name: str
    codec: str
    pixels: str  # pixel format
    options: dict[str, str]
    container: dict[str, str]
    even: bool = False  # width and height must be
    most_fps: float = math.inf


EXACT = {"fflags": "+bitexact", "flush_packets": "1"}  # no random identifiers or dates: the same frames, the same bytes; on disk at once
MP4 = {"movflags": "hybrid_fragmented+frag_every_frame", **EXACT}
# x264's AVX-512 code for its macroblock tree takes memory that was never set into account where a picture is a few blocks of 16 wide
# (layers are): the same frames then gave films up to a third larger, by what the process had freed before.
SETTLED = {"mbtree": "0"}
GIF_FPS = 50.0  # its times are hundredths of a second, and browsers show a frame of one hundredth for ten
FORMATS: dict[tuple[str, bool], Format] = {  # suffix, lossless
    (".mp4", False): Format("mp4", "libx264", "yuv420p", {"crf": "16", "preset": "slow", **SETTLED}, MP4, even=True),
    (".mp4", True): Format("mp4", "libx264rgb", "rgb24", {"qp": "0", "preset": "medium"}, MP4),
    (".webm", False): Format("webm", "libvpx-vp9", "yuv420p", {"crf": "24", "b": "0", "cpu-used": "2"}, EXACT, even=True),
    (".webm", True): Format("webm", "libvpx-vp9", "gbrp", {"lossless": "1", "cpu-used": "2"}, EXACT),
    (".gif", False): Format("gif", "gif", "pal8", {}, {"loop": "0", **EXACT}, most_fps=GIF_FPS),
}
SUFFIXES = tuple(dict.fromkeys(suffix for suffix, _ in FORMATS))
COMMENT_START = origin.START.encode()
THREADS = 1  # the encoders' output depends on it, and one thread leaves nothing to the scheduler


@dataclass(frozen=True)
class Label:
    """What a file says about itself."""

    session: str  # JSON
    command: str

    @property
    def text(self) -> str:
        """One comment for formats that have nothing else."""
        return origin.about(self.session, self.command)


class Encoder(Protocol):
    """Takes frames in order: uint8 [H, W, 3], or float32 values (EXR), and then what they are."""

    def has(self, index: int) -> bool: ...
    def add(self, index: int, pixels: np.ndarray, view_json: str, holds: str = "") -> None: ...
    def finish(self) -> None: ...
    def stop(self, *, keep: bool) -> Path | None: ...


def video_library() -> Any:
    """The `av` package. Raises ExportError with the remedy where it is missing."""
    try:
        import av
    except ImportError as e:
        raise ExportError(NO_VIDEO) from e
    return av


def film_format(path: Path, *, lossless: bool) -> Format:
    """The encoding for this file name. Raises ExportError naming what can be."""
    found = FORMATS.get((path.suffix.lower(), lossless))
    if found is None and lossless and (path.suffix.lower(), False) in FORMATS:
        raise ExportError(f"{path.name}: {path.suffix} cannot be lossless; .mp4, .webm or a folder of PNGs can")
    if found is None:
        kinds = ", ".join(SUFFIXES)
        raise ExportError(f"{path.name} ends in {path.suffix or 'nothing'}; {kinds}, or a folder (a name ending in /) is expected")
    return found


class Film:
    """MP4, WebM or GIF."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float, label: Label, *, lossless: bool) -> None:
        self.format = film_format(path, lossless=lossless)
        self.path, self.label = path, label
        self.part = path.with_name(path.name + ".part")
        self._av = video_library()
        self.errors: type[Exception] = self._av.FFmpegError
        even = [n + n % 2 if self.format.even else n for n in size]
        if max(even) > LARGEST_SIDE:
            raise ExportError(f"{path.name} would be {even[0]} x {even[1]}; at most {LARGEST_SIDE} pixels a side can be encoded")
        self._writable = True
        self._container = self._av.open(str(self.part.absolute()), "w", format=self.format.name, options=self.format.container)
        self._stream = self._open_stream(even, Fraction(fps).limit_denominator(1001))

    def _open_stream(self, size: list[int], fps: Fraction) -> Any:
        if self.format.name != "gif":
            self._container.metadata.update({"comment": self.label.command, "description": self.label.session})
        stream = self._container.add_stream(self.format.codec, rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt, stream.options = self.format.pixels, dict(self.format.options)
        context = stream.codec_context
        context.thread_count = THREADS
        if self.format.pixels.startswith("yuv"):
            context.colorspace, context.color_range, context.color_primaries, context.color_trc = 1, 1, 1, 13  # BT.709, limited, sRGB
        return stream

    def has(self, index: int) -> bool:
        return False

    def add(self, index: int, pixels: np.ndarray, view_json: str, holds: str = "") -> None:
        height, width = pixels.shape[:2]
        rows, columns = self._stream.height - height, self._stream.width - width
        if rows or columns:  # 4:2:0 has no odd sizes: the last row or column is shown twice
            pixels = np.pad(pixels, ((0, rows), (0, columns), (0, 0)), mode="edge")
        for packet in self._stream.encode(self._picture(np.ascontiguousarray(pixels))):
            self._write(packet)

    def _write(self, packet: Any) -> None:
        """A file that could not be written to is not written to again: where the disk was full before its header, that ends the process."""
        if self._writable:
            self._writable = False
            self._container.mux(packet)
            self._writable = True

    def _picture(self, pixels: np.ndarray) -> Any:
        frames = self._av.VideoFrame
        if self.format.pixels == "pal8":
            return frames.from_ndarray(palette_of(pixels), format="pal8")
        if self.format.pixels == "yuv420p":
            return frames.from_ndarray(planes_of(pixels), format="yuv420p")
        return frames.from_ndarray(pixels, format="rgb24")

    def finish(self) -> None:
        self._close()
        if self.format.name == "gif":
            add_gif_comment(self.part, self.label.text)
        self.part.replace(self.path)

    def stop(self, *, keep: bool) -> Path | None:
        """Ends early: what was encoded stays in the `.part` file, if any of it was written, or goes."""
        with contextlib.suppress(OSError, self._av.FFmpegError):
            self._close()
        keep = keep and self.part.is_file() and self.part.stat().st_size > 0
        if not keep:
            with contextlib.suppress(OSError):
                self.part.unlink()
        return self.part if keep else None

    def _close(self) -> None:
        try:
            for packet in self._stream.encode():
                self._write(packet)
        finally:
            self._container.close()


class Sequence:
    """PNG or EXR files 00000.png, 00001.png ... in a folder, each complete or absent, and `session.json`.

    Frames of the same export that are there already are kept: a stopped export goes on where it was.
    """

    def __init__(self, folder: Path, label: Label, identity: str, suffix: str = ".png") -> None:
        self.folder, self.label, self.identity, self.suffix = folder, label, identity, suffix
        folder.mkdir(parents=True, exist_ok=True)
        there = (p for kind in (".png", ".exr") for p in sorted(folder.glob(f"[0-9]*{kind}")))
        other = next((p for p in there if not frame_identity(p).startswith(identity)), None)
        if other is not None:
            raise ExportError(f"{folder} holds {other.name} of another export; choose another folder, or empty this one")
        with atomic(folder / "session.json") as temporary:
            temporary.write_text(label.session, encoding="utf-8")

    def path(self, index: int) -> Path:
        return self.folder / f"{index:05d}{self.suffix}"

    def has(self, index: int) -> bool:
        return self.path(index).exists() and frame_identity(self.path(index)) == f"{self.identity}:{index}"

    def add(self, index: int, pixels: np.ndarray, view_json: str, holds: str = "") -> None:
        texts = {capture.KEY: view_json, FRAME_KEY: f"{self.identity}:{index}", COMMAND_KEY: self.label.command}
        if self.suffix == ".exr":
            exr_file.save(self.path(index), pixels, {**texts, VALUES_KEY: holds, SESSION_KEY: self.label.session})
            return
        info = PngImagePlugin.PngInfo()
        for key, text in texts.items():
            info.add_text(key, text)
        info.add_text(SESSION_KEY, self.label.session, zip=True)
        with atomic(self.path(index)) as temporary:
            Image.fromarray(np.ascontiguousarray(pixels)).save(temporary, format="PNG", pnginfo=info, compress_level=4)

    def finish(self) -> None:
        pass

    def stop(self, *, keep: bool) -> Path | None:
        return self.folder  # whole frames are worth keeping: the next export of the same session goes on after them


def frame_identity(path: Path) -> str:
    """Which export a PNG or EXR belongs to, and as which frame; "" for any other file."""
    try:
        if path.suffix == ".exr":
            return exr_file.read_texts(path).get(FRAME_KEY, "")
        with opened_picture(path) as picture:
            return str(getattr(picture, "text", {}).get(FRAME_KEY, ""))
    except (OSError, ValueError):
        return ""


def planes_of(pixels: np.ndarray) -> np.ndarray:
    """Y, Cb and Cr of an even-sized frame below each other, uint8 [3 H / 2, W]: BT.709, limited range, 4:2:0.

    Chroma stands on every second column (weights 1 2 1) and between two rows, where H.264 and VP9 expect it.
    """
    r, g, b = np.moveaxis(pixels.astype(np.float32) / 255, 2, 0)
    luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
    planes = [16 + 219 * luma]
    for chroma in ((b - luma) / 1.8556, (r - luma) / 1.5748):
        rows = np.pad((chroma[0::2] + chroma[1::2]) / 2, ((0, 0), (1, 1)), mode="edge")
        planes.append(128 + 224 * (rows[:, :-2:2] + 2 * rows[:, 1:-1:2] + rows[:, 2::2]) / 4)
    flat = np.concatenate([np.floor(plane + 0.5).ravel() for plane in planes])
    return flat.astype(np.uint8).reshape(-1, pixels.shape[1])


def palette_of(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(indices [H, W], colours [256, 4] as alpha, red, green, blue) of a frame with at most 256 colours, without dither."""
    picture = Image.fromarray(pixels).quantize(256, dither=Image.Dither.NONE)
    colors = np.zeros((256, 4), np.uint8)
    known = np.array(picture.getpalette(), np.uint8).reshape(-1, 3)
    colors[: len(known), 1:] = known
    colors[:, 0] = 255
    return np.asarray(picture), colors


def add_gif_comment(path: Path, text: str) -> None:
    """Writes a comment block before the end mark of a GIF file (GIF89a, section 24)."""
    data = text.encode("utf-8")
    parts = (data[i : i + 255] for i in range(0, len(data), 255))
    blocks = b"".join(bytes([len(part)]) + part for part in parts)
    with path.open("r+b") as f:
        f.seek(-1, 2)
        if f.read(1) != b";":
            raise ExportError(f"{path.name} does not end like a GIF")
        f.seek(-1, 2)
        f.write(b"\x21\xfe" + blocks + b"\x00;")

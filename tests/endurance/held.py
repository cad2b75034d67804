"""What the process holds, in bytes and numbers, and whether that keeps growing."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from gui_utils import gl

GL_NAMES = 4096  # drivers give the lowest free name, so live objects have small ones
LIMITS = {"heap_bytes": 1024.0, "python_blocks": 8.0, "gl_objects": 0.0, "threads": 0.0, "resident_bytes": 8192.0}  # an action
CERTAINTY = 0.99


@dataclass(frozen=True)
class Held:
    """`heap_bytes`: what C and C++ have taken from the C library and not given back (torch, Dear ImGui, the GL driver; 0 where it
    does not say). `python_blocks`: objects of Python, about. `gl_objects`: textures, framebuffers, buffers, vertex arrays and programs
    of which the driver knows. `resident_bytes`: all memory of the process, with what allocators keep for later.
    """

    heap_bytes: int
    python_blocks: int
    gl_objects: int
    threads: int
    resident_bytes: int

    def __str__(self) -> str:
        sizes = f"heap {self.heap_bytes / 1e6:.2f} MB, resident {self.resident_bytes / 1e6:.0f} MB"
        return f"{sizes}, {self.python_blocks} blocks of Python, {self.gl_objects} GL objects, {self.threads} threads"


@dataclass(frozen=True)
class Slope:
    """Growth an action, by least squares, and how far it may be off (two-sided, `CERTAINTY`)."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:+.3g} ± {self.error:.2g}"


def held_now() -> Held:
    """Collects garbage and gives freed memory back first: the application tells glibc to keep it, which is not what is held."""
    gc.collect()
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    if library is not None:
        library.malloc_trim(0)
    give_up = time.monotonic() + 5.0
    while any("process_request" in t.name for t in threading.enumerate()) and time.monotonic() < give_up:
        time.sleep(0.001)  # an answer to another program is on its way out
    return Held(_heap_bytes(library), sys.getallocatedblocks(), gl_objects(), threading.active_count(), _resident_bytes())


def gl_objects() -> int:
    """Asks the driver, name by name: also what Dear ImGui made, and what nobody counted."""
    kinds = (gl.glIsTexture, gl.glIsFramebuffer, gl.glIsBuffer, gl.glIsVertexArray, gl.glIsProgram)
    return sum(bool(exists(name)) for exists in kinds for name in range(1, GL_NAMES))


class _Info(ctypes.Structure):
    """glibc's `struct mallinfo2` (malloc.h)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    ]


def _heap_bytes(library: ctypes.CDLL | None) -> int:
    try:
        ask = library.mallinfo2  # pyright: ignore[reportOptionalMemberAccess]
    except AttributeError:
        return 0
    ask.restype = _Info
    info = ask()
    return int(info.uordblks + info.hblkhd)


def _resident_bytes() -> int:
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0


def slopes(rests: Sequence[tuple[int, Held]]) -> dict[str, Slope]:
    """Growth an action over the second half of `rests` (number of the action, what was held), for every kind of thing."""
    half = rests[len(rests) // 2 :] if len(rests) >= 8 else rests[-4:]
    return {f.name: _slope([n for n, _ in half], [getattr(held, f.name) for _, held in half]) for f in fields(Held)}


def _slope(at: Sequence[int], values: Sequence[int]) -> Slope:
    from scipy.stats import t

    x, y = np.asarray(at, float) - np.mean(at), np.asarray(values, float)
    free = max(1, len(x) - 2)
    spread = float((x**2).sum()) or 1.0
    slope = float((x * y).sum()) / spread
    rest = y - y.mean() - slope * x
    return Slope(slope, float(t.ppf(0.5 + CERTAINTY / 2, free)) * float(np.sqrt((rest**2).sum() / free / spread)))


def growing(found: dict[str, Slope]) -> list[str]:
    """What certainly grows by more than its limit, in words; empty where all is well."""
    return [
        f"{name} grows by {slope} an action; at most {LIMITS[name]:g} is allowed"
        for name, slope in found.items()
        if slope.value - slope.error > LIMITS[name]
    ]

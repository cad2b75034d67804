"""OpenEXR files: float32 scan lines with any attributes in the header, written and read back. numpy and zlib only.

Written here rather than by the video library's encoder because that one writes no attributes of ours: a frame would not know its
session. The layout is that of "OpenEXR File Layout": single part, scan lines, ZIP (16 lines a chunk).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from torch_utils.atomic import atomic

MAGIC, VERSION = 20000630, 2
FLOAT, ZIP, LINES = 2, 3, 16
LARGEST_HEADER = 64 << 20
ORDER = "BGR"  # channels are stored by name


def save(path: Path, values: np.ndarray, texts: Mapping[str, str]) -> Path:
    """Writes float [H, W] or [H, W, 1 or 3] as channel Y, or R, G and B; `texts` become attributes. Whole or not at all. Raises OSError."""
    values = np.ascontiguousarray(values, dtype=np.float32)
    values = values[:, :, None] if values.ndim == 2 else values
    height, width, channels = values.shape
    if channels not in (1, 3) or not width or not height:
        raise ValueError(f"values are {width} x {height} with {channels} channels; one or three are expected")
    planes = [values[:, :, "RGB".index(c)] for c in ORDER] if channels == 3 else [values[:, :, 0]]
    lines = np.stack(planes, axis=1)  # [H, C, W]: each scan line channel by channel
    chunks = [_packed(lines[y : y + LINES].astype("<f4").tobytes()) for y in range(0, height, LINES)]
    head = _header(width, height, ORDER if channels == 3 else "Y", texts)
    offset, table, body = len(head) + 8 * len(chunks), [], []
    for index, chunk in enumerate(chunks):
        table.append(offset)
        body.append(struct.pack("<ii", index * LINES, len(chunk)) + chunk)
        offset += len(body[-1])
    with atomic(path) as temporary:
        temporary.write_bytes(head + struct.pack(f"<{len(table)}Q", *table) + b"".join(body))
    return path


def read_texts(path: Path) -> dict[str, str]:
    """The text attributes in the header. Raises ValueError for anything but an OpenEXR file, OSError."""
    with path.open("rb") as f:
        data = f.read(LARGEST_HEADER)
    if len(data) < 8 or struct.unpack_from("<I", data)[0] != MAGIC:
        raise ValueError("it does not begin like an OpenEXR file")
    found, at = {}, 8
    try:
        while data[at]:
            name, at = _name(data, at)
            kind, at = _name(data, at)
            (size,) = struct.unpack_from("<i", data, at)
            at += 4
            if size < 0 or at + size > len(data):
                raise ValueError("its header is cut off")
            if kind == "string":
                found[name] = data[at : at + size].decode("utf-8", "replace")
            at += size
    except (IndexError, struct.error) as e:
        raise ValueError("its header is cut off") from e
    return found


def _name(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode("latin-1"), end + 1


def _header(width: int, height: int, channels: str, texts: Mapping[str, str]) -> bytes:
    each = b"".join(c.encode() + b"\0" + struct.pack("<iB3xii", FLOAT, 0, 1, 1) for c in channels)
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    attributes = [
        ("channels", "chlist", each + b"\0"),
        ("compression", "compression", bytes([ZIP])),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0, 0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1)),
        *((name, "string", text.encode("utf-8")) for name, text in sorted(texts.items())),
    ]
    parts = (name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(data)) + data for name, kind, data in attributes)
    return struct.pack("<II", MAGIC, VERSION) + b"".join(parts) + b"\0"


def _packed(data: bytes) -> bytes:
    """Bytes of a chunk: even ones before odd ones, each as its difference to the one before, deflated; as they are if that is shorter."""
    raw = np.frombuffer(data, np.uint8)
    halves = np.concatenate([raw[0::2], raw[1::2]])
    steps = halves.astype(np.int16)
    steps[1:] += 128 - halves[:-1].astype(np.int16)
    small = zlib.compress(steps.astype(np.uint8).tobytes(), 6)
    return small if len(small) < len(data) else data

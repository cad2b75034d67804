"""The tensors of a safetensors file, found by its header and read through an ordinary file handle. numpy only.

The format's own library maps the file into memory: whoever makes a mapped file shorter (a copy over it that has begun, a share that
goes away) ends the process that reads it. Here that is a Malformed. The header is bounded, too, and every claim in it is checked
against the bytes that are there before anything is allocated.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np

from .errors import Malformed, name_is_text, printable
from .spans import Reader, Span
from .stand_ins import is_count

MAX_HEADER_BYTES, MAX_TENSORS = 16 << 20, 1 << 14
NUMPY = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class SafeTensor:
    """One tensor, unread; `dtype` as the format calls it. The file must stay open while it is in use."""

    dtype: str
    shape: tuple[int, ...]
    data: Span

    def read(self) -> np.ndarray:
        """The values, as a fresh array (bfloat16 widened to float32). Raises Malformed if the file has become shorter."""
        flat = np.frombuffer(bytearray(self.data.read()), NUMPY[self.dtype])
        if self.dtype == "BF16":
            flat = (flat.astype(np.uint32) << 16).view(np.float32)
        return flat.reshape(self.shape)


def read_tensors(span: Span) -> tuple[dict[str, SafeTensor], dict[str, str]]:
    """All tensors, unread, by name, and the metadata. Raises Malformed."""
    reader = Reader(span)
    length = int.from_bytes(reader.read(8), "little")
    if length > MAX_HEADER_BYTES:
        raise Malformed(f"its header of {length:,} bytes is longer than that of any network")
    if length > reader.left:
        raise Malformed(f"the data ends early: a header of {length:,} bytes is announced, {reader.left:,} are left")
    try:
        header = json.loads(reader.read(length).decode("utf-8"))
    except (ValueError, RecursionError):
        raise Malformed("its header is not readable as JSON") from None
    if not isinstance(header, dict) or len(header) > MAX_TENSORS:
        raise Malformed(f"its header is not a list of at most {MAX_TENSORS:,} tensors")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) and name_is_text(name + text) for name, text in metadata.items()):
        raise Malformed("its metadata are not texts")
    body = reader.skip(reader.left)
    tensors = {name: _tensor(name, entry, body) for name, entry in header.items()}
    _check_layout(tensors, body)
    return tensors, metadata


def _tensor(name: str, entry: object, body: Span) -> SafeTensor:
    shown = printable(name)
    if not name_is_text(name) or not isinstance(entry, dict):
        raise Malformed(f"its tensor {shown} is not described")
    dtype, shape, place = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in NUMPY:
        raise Malformed(f"{shown} holds {printable(str(dtype), 20)} numbers, which are not known")
    if not (isinstance(shape, list) and len(shape) <= 8 and all(is_count(n) for n in shape)):
        raise Malformed(f"{shown} has a shape that is not a short list of sizes")
    if not (isinstance(place, list) and len(place) == 2 and all(is_count(n) for n in place) and place[0] <= place[1]):
        raise Malformed(f"{shown} does not say where its numbers are")
    begin, end = place
    if end > body.length:
        raise Malformed(f"the data ends early: {shown} ends at byte {end:,} of {body.length:,}")
    if math.prod(shape) * np.dtype(NUMPY[dtype]).itemsize != end - begin:
        raise Malformed(f"{shown} has the shape {shape} and {end - begin:,} bytes")
    return SafeTensor(dtype, tuple(shape), Span(body.file, body.offset + begin, end - begin))


def _check_layout(tensors: dict[str, SafeTensor], body: Span) -> None:
    """The format's rule: tensors lie one after the other, and fill the file. So none is used twice, and nothing is hidden between them."""
    at = body.offset
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].data.offset, item[1].data.length)):
        if tensor.data.offset != at:
            raise Malformed(f"the numbers of {printable(name)} do not begin where those before them end")
        at += tensor.data.length
    if at != body.offset + body.length:
        raise Malformed(f"{body.offset + body.length - at:,} bytes at its end belong to no tensor")

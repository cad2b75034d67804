"""What a snapshot's objects become: inert stand-ins that hold data and can do nothing.

Tensors and arrays stay on disk (`spans.Span`) until `read` is called, which checks the claimed shape against the bytes
that are there. Nothing here comes from the file but numbers and text.
"""

from __future__ import annotations

import io
import math
import re
from dataclasses import dataclass, field

import numpy as np

from .errors import Malformed, Refused, printable
from .spans import Span

STORAGE_DTYPES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "bf16",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "b1",
}
MOST_SPREAD = 64  # numbers of a storage for each that a tensor takes of them


@dataclass(frozen=True, eq=False)
class Storage:
    """`count` numbers of one type, little-endian, unread."""

    dtype: str
    count: int
    data: Span


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A strided view of a storage: sizes and strides in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        sizes = (self.offset, *self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or len(self.shape) > 8 or not all(is_count(n) for n in sizes):
            raise Malformed("a tensor whose shape is not a short list of sizes")
        if math.prod(self.shape) > self.storage.count:
            raise Malformed(f"a tensor of shape {list(self.shape)} over a storage of {self.storage.count} numbers")
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if math.prod(self.shape) > 0 and last >= self.storage.count:
            raise Malformed(f"a tensor that reaches past its storage of {self.storage.count} numbers")
        if last - self.offset > MOST_SPREAD * max(math.prod(self.shape), 64):  # hundreds of them would each read the whole file
            raise Malformed(f"a tensor of shape {list(self.shape)} that is spread over {last - self.offset + 1:,} numbers")

    def read(self) -> np.ndarray:
        """The values, as a fresh array (bfloat16 widened to float32)."""
        if math.prod(self.shape) == 0:
            return np.zeros(self.shape, np.float32 if self.storage.dtype == "bf16" else self.storage.dtype)
        stored = np.dtype("<u2" if self.storage.dtype == "bf16" else "<" + self.storage.dtype)
        count = 1 + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))  # many may share a large storage
        flat = np.frombuffer(self.storage.data.read(self.offset * stored.itemsize, count * stored.itemsize), stored)
        if self.storage.dtype == "bf16":
            flat = (flat.astype(np.uint32) << 16).view(np.float32)
        return np.lib.stride_tricks.as_strided(flat, self.shape, tuple(s * flat.itemsize for s in self.strides)).copy()


@dataclass(eq=False)
class NumberType:
    """The stand-in of a numpy dtype: a plain number's kind, size and byte order."""

    code: str
    order: str = "<"

    def __post_init__(self) -> None:
        if not (isinstance(self.code, str) and re.fullmatch(r"f[248]|[iu][1248]|b1", self.code)):
            raise Refused(f"refused: an array of {printable(str(self.code), 20)!r}, which is not a plain number type")

    def build(self, state: object) -> None:
        """Take the byte order from the pickled state; fields and sub-arrays are refused."""
        if not (isinstance(state, tuple) and len(state) >= 5 and state[1] in ("<", ">", "=", "|")):
            raise Malformed("a number type with an unknown byte order")
        if any(part is not None for part in state[2:5]):
            raise Refused("refused: an array of records, where plain numbers are expected")
        self.order = str(state[1])

    @property
    def numpy(self) -> np.dtype:
        return np.dtype(self.order + self.code)

    def number(self, data: object) -> int | float | bool:
        raw = as_span(data)
        if raw.length != self.numpy.itemsize:
            raise Malformed(f"a number of {raw.length} bytes where {self.numpy.itemsize} are expected")
        return np.frombuffer(raw.read(), self.numpy)[0].item()


@dataclass(eq=False)
class StoredArray:
    """The stand-in of a numpy array, empty until `build`."""

    dtype: NumberType = field(default_factory=lambda: NumberType("b1"))
    shape: tuple[int, ...] = (0,)
    fortran: bool = False
    data: Span = field(default_factory=lambda: as_span(b""))

    def build(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) == 5):
            raise Malformed("an array without its five parts")
        _, shape, dtype, fortran, data = state
        if isinstance(data, list):
            raise Refused("refused: an array of Python objects")
        self.fill(shape, dtype, data, fortran=bool(fortran))

    def fill(self, shape: object, dtype: object, data: object, *, fortran: bool) -> None:
        if not (isinstance(shape, tuple) and len(shape) <= 8 and all(is_count(n) for n in shape) and isinstance(dtype, NumberType)):
            raise Malformed("an array whose shape or type is none")
        span = as_span(data)
        if math.prod(shape) * dtype.numpy.itemsize != span.length:
            raise Malformed(f"an array of shape {list(shape)} that comes with {span.length} bytes")
        self.shape, self.dtype, self.data, self.fortran = shape, dtype, span, fortran

    def read(self) -> np.ndarray:
        """The values, as a fresh array in the machine's byte order."""
        flat = np.frombuffer(self.data.read(), self.dtype.numpy)
        return flat.reshape(self.shape, order="F" if self.fortran else "C").astype(self.dtype.numpy.newbyteorder("="), order="C")


@dataclass(frozen=True, eq=False)
class StoredObject:
    """A network or layer of a PyTorch snapshot: its class's name and attributes. Its source text was thrown away."""

    class_name: str
    state: dict

    def part(self, group: str) -> dict:
        """`_parameters`, `_buffers` or `_modules`; empty where missing."""
        found = self.state.get(group)
        return found if isinstance(found, dict) else {}


@dataclass(eq=False)
class StoredTensorFlowNetwork:
    """A network of a TensorFlow-era tuple."""

    state: dict = field(default_factory=dict)

    def build(self, state: object) -> None:
        if not isinstance(state, dict):
            raise Malformed("a TensorFlow network whose state is not a dict")
        self.state = state


def is_count(value: object) -> bool:
    """A whole number from 0 to 2**48 (and no bool)."""
    return type(value) is int and 0 <= value < 2**48


def as_span(data: object) -> Span:
    """Bytes in any of the forms that a pickle may hold them in."""
    if isinstance(data, str):  # Python 2 wrote bytes as text
        try:
            data = data.encode("latin-1")
        except UnicodeEncodeError:
            raise Malformed("text where bytes are expected") from None
    if isinstance(data, bytes):
        return Span(io.BytesIO(data), 0, len(data))
    if isinstance(data, Span):
        return data
    raise Malformed(f"a {type(data).__name__} where bytes are expected")

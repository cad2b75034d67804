"""Convolution weights in the form that the kernels read: prepared once, kept as long as the tensor they came from.

With y = d * conv(x * s, W) the weights are constants of the network: styles never touch them. What is kept depends on the algorithm:
the same size for "gemm", four times as much for "winograd" and "strassen2", twice as much for "strassen", half for "bf16".
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ..native_library import library
from .modulated_conv2d import EPSILON, weight_energy

ALGORITHMS = ("winograd", "strassen", "strassen2", "gemm", "bf16")
KERNELS = {"winograd": 3, "strassen": 1, "strassen2": 1}  # the only kernel size they take
ALIGNMENT = 64
LARGE_PAGE = 1 << 21
_INT = ctypes.c_int64
_POINTER = ctypes.c_void_p


@lru_cache(maxsize=1)
def entries() -> ctypes.CDLL:
    """The native library with the convolutions' signatures declared. Raises NativeUnavailable."""
    opened = library()
    for algorithm in ALGORITHMS:
        size, pack = getattr(opened, f"af_conv_{algorithm}_weight_bytes"), getattr(opened, f"af_conv_{algorithm}_pack")
        scratch, run = getattr(opened, f"af_conv_{algorithm}_scratch_bytes"), getattr(opened, f"af_conv_{algorithm}")
        size.argtypes, size.restype = [_INT, _INT], _INT
        pack.argtypes, pack.restype = [_INT, _INT, _POINTER, _POINTER], None
        scratch.argtypes, scratch.restype = [_POINTER], _INT
        run.argtypes, run.restype = [_POINTER], None
    opened.af_demodulate.argtypes = [_POINTER, _POINTER, _POINTER, ctypes.c_float, _POINTER, _INT, _INT, _INT]
    opened.af_demodulate.restype = None
    opened.af_level.restype = ctypes.c_int
    opened.af_large_pages.argtypes, opened.af_large_pages.restype = [_POINTER, ctypes.c_uint64], None
    return opened


def has_bf16() -> bool:
    """Whether this processor multiplies bfloat16."""
    return entries().af_conv_bf16_weight_bytes(1, 1) > 0


def aligned_floats(count: int, *, large_pages: bool = False) -> Tensor:
    """Uninitialised float32 memory at a multiple of ALIGNMENT bytes; in large pages, where the system gives some (pages.h says why)."""
    alignment = LARGE_PAGE if large_pages else ALIGNMENT
    raw = torch.empty(count + alignment // 4, dtype=torch.float32)
    aligned = raw[-raw.data_ptr() % alignment // 4 :][:count]
    if large_pages:
        entries().af_large_pages(raw.data_ptr(), raw.nbytes)
    return aligned


@dataclass(frozen=True, eq=False)
class PackedWeight:
    """One layer's weight for one algorithm, on the instruction set of `level`."""

    algorithm: str
    shape: tuple[int, int, int, int]  # out, in, k, k
    level: int
    data: Tensor

    @property
    def nbytes(self) -> int:
        return self.data.nbytes


def pack(weight: Tensor, algorithm: str) -> PackedWeight:
    """Prepare `weight`, O x I x k x k, for one of ALGORITHMS (KERNELS says who takes which k). Raises ValueError if it does not fit."""
    if algorithm not in ALGORITHMS:
        raise ValueError(f"pack: algorithm is {algorithm!r}; there are {', '.join(ALGORITHMS)}")
    if weight.ndim != 4 or weight.shape[2] != weight.shape[3] or 0 in weight.shape:
        raise ValueError(f"pack: weight must be O x I x k x k, got {tuple(weight.shape)}")
    taken = KERNELS.get(algorithm, weight.shape[2])
    if weight.shape[2] != taken:
        raise ValueError(f"pack: {algorithm} takes {taken}x{taken} kernels, got {weight.shape[2]}x{weight.shape[3]}")
    if algorithm == "bf16" and not has_bf16():
        raise ValueError("pack: this processor does not multiply bfloat16")
    opened = entries()
    source = weight.detach().to("cpu", torch.float32).contiguous()
    outs, ins, size, _ = source.shape
    depth = ins if algorithm == "winograd" else ins * size * size
    data = aligned_floats(getattr(opened, f"af_conv_{algorithm}_weight_bytes")(outs, depth) // 4)
    getattr(opened, f"af_conv_{algorithm}_pack")(outs, depth, source.data_ptr(), data.data_ptr())
    return PackedWeight(algorithm, (outs, ins, size, size), opened.af_level(), data)


class _Entry:
    """All that was derived from one version of one tensor."""

    def __init__(self, weight: Tensor, state: tuple, gone: Callable[[weakref.ref], None]) -> None:
        self.weight = weakref.ref(weight, gone)
        self.state = state
        self.packed: dict[str, PackedWeight] = {}
        self.energy: Tensor | None = None
        self.derived: dict[Hashable, Tensor] = {}
        self.lock = threading.Lock()


class WeightCache:
    """Derived weights by the identity and version of their tensor; an entry goes when its tensor does.

    A change that torch's version counter does not see (through `.data` or numpy) is not seen here either: call `clear` after it.
    """

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._lock = threading.RLock()  # a tensor may be collected, and forgotten, while this thread holds it

    def packed(self, weight: Tensor, algorithm: str) -> PackedWeight:
        """`pack(weight, algorithm)`, remembered."""
        entry = self._entry(weight)
        with entry.lock:
            if algorithm not in entry.packed:
                entry.packed[algorithm] = pack(weight, algorithm)
            return entry.packed[algorithm]

    def energy(self, weight: Tensor) -> Tensor:
        """E' [O, I] with which the demodulation is 1 / sqrt(s^2 E'^T): the weight's energy and its share of epsilon, remembered."""
        entry = self._entry(weight)
        with entry.lock:
            if entry.energy is None:
                energy = weight_energy(weight.detach().to(torch.float32))
                entry.energy = energy + EPSILON * energy.mean(1, keepdim=True) / energy.shape[1]
            return entry.energy

    def derived(self, weight: Tensor, name: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """Another weight that follows from this one, remembered; it may be packed in its turn."""
        entry = self._entry(weight)
        with entry.lock, torch.inference_mode(False), torch.no_grad():
            if name not in entry.derived:
                entry.derived[name] = make()
            return entry.derived[name]

    def nbytes(self) -> int:
        """Memory held for all weights."""
        with self._lock:
            kept = list(self._entries.values())
        packed = sum(p.nbytes for entry in kept for p in list(entry.packed.values()))
        derived = sum(tensor.nbytes for entry in kept for tensor in list(entry.derived.values()))
        return packed + derived + sum(entry.energy.nbytes for entry in kept if entry.energy is not None)

    def clear(self) -> None:
        """Forget everything; it is derived again when next needed."""
        with self._lock:
            self._entries.clear()

    def _entry(self, weight: Tensor) -> _Entry:
        if weight.is_inference():  # torch counts no versions of these, so nothing derived from them can be kept
            return _Entry(weight, (), lambda gone: None)
        state = (weight._version, weight.data_ptr(), entries().af_level())
        key = id(weight)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.weight() is not weight or entry.state != state:
                entry = _Entry(weight, state, lambda gone: self._forget(key, gone))
                self._entries[key] = entry
            return entry

    def _forget(self, key: int, gone: weakref.ref) -> None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry.weight is gone:
                del self._entries[key]


weights = WeightCache()

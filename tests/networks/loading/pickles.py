"""Pickles made by hand, for tests: whatever a hostile file could contain, without the objects that would write it."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from pathlib import Path

from networks.loading.spans import Span
from networks.loading.unpickle import read_pickle

GOLDEN = Path(__file__).parents[2] / "golden"
TINY = ("tiny_t", "tiny_t_cond", "tiny_r", "tiny_sg2", "tiny_sg2_resnet_cond", "tiny_sg2_orig")


@dataclass(frozen=True)
class Raw:
    """Opcodes that leave one value on the stack."""

    code: bytes


def value(of: object) -> bytes:
    """Opcodes for a plain value (or Raw), without protocol and stop."""
    if isinstance(of, Raw):
        return of.code
    if of is None:
        return b"N"
    if isinstance(of, bool):
        return b"\x88" if of else b"\x89"
    if isinstance(of, int):
        return b"J" + struct.pack("<i", of) if abs(of) < 2**31 else b"\x8a\x10" + of.to_bytes(16, "little", signed=True)
    if isinstance(of, float):
        return b"G" + struct.pack(">d", of)
    if isinstance(of, str):
        return b"X" + struct.pack("<I", len(of.encode())) + of.encode()
    if isinstance(of, bytes):
        return b"B" + struct.pack("<I", len(of)) + of
    if isinstance(of, tuple):
        return b"(" + b"".join(map(value, of)) + b"t"
    if isinstance(of, list):
        return b"](" + b"".join(map(value, of)) + b"e"
    assert isinstance(of, dict)
    return b"}(" + b"".join(value(k) + value(v) for k, v in of.items()) + b"u"


def named(module: str, name: str, protocol: int = 4) -> Raw:
    """A global, in the manner of the protocol."""
    if protocol >= 4:
        return Raw(value(module) + value(name) + b"\x93")
    return Raw(f"c{module}\n{name}\n".encode())


def call(module: str, name: str, *args: object, protocol: int = 4) -> Raw:
    """What makes `pickle` call module.name(*args)."""
    return Raw(named(module, name, protocol).code + value(args) + b"R")


def pickled(of: object, protocol: int = 4) -> bytes:
    return (b"\x80" + bytes([protocol]) if protocol >= 2 else b"") + value(of) + b"."


def storage_bytes(numbers: bytes, kind: str = "FloatStorage", count: int | None = None, description: object = None) -> bytes:
    """The stream inside a tensor, as torch writes it."""
    count = len(numbers) // 4 if count is None else count
    described = description or ("storage", named("torch", kind, 2), "1", "cpu", count, None)
    machine = {"protocol_version": 1001, "little_endian": True}
    parts = [pickled(0x1950A86A20F9469CFC6C, 2), pickled(1001, 2), pickled(machine, 2)]
    parts += [b"\x80\x02" + value(described) + b"Q.", pickled(["1"], 2), struct.pack("<q", count), numbers]
    return b"".join(parts)


def tensor(data: bytes, offset: int, shape: tuple, strides: tuple) -> Raw:
    storage = call("torch.storage", "_load_from_bytes", data)
    return call("torch._utils", "_rebuild_tensor_v2", storage, offset, shape, strides, False, call("collections", "OrderedDict"))


def snapshot(g_ema: object) -> bytes:
    return pickled({"G": None, "D": None, "G_ema": g_ema})


def network(state: object, class_name: object = "Generator") -> Raw:
    meta = {"type": "class", "version": 6, "module_src": "raise SystemExit", "class_name": class_name, "state": state}
    return call("torch_utils.persistence", "_reconstruct_persistent_obj", meta)


def read(data: bytes) -> object:
    """The restricted unpickler on bytes in memory."""
    return read_pickle(Span(io.BytesIO(data), 0, len(data)))

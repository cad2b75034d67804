"""The restricted unpickler: published snapshots as inert data. Nothing in the file is imported, called or executed.

`read_pickle` knows the few names that snapshots contain and gives a stand-in for each (`stand_ins`); any other name is
refused. The bytes of a tensor are a small saved stream of their own, read by the same machine with a shorter list.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .errors import Malformed, Refused
from .pickle_machine import Budget, Machine, Maker, Name, checked_key
from .spans import Reader, Span
from .stand_ins import (
    STORAGE_DTYPES,
    NumberType,
    Storage,
    StoredArray,
    StoredObject,
    StoredTensor,
    StoredTensorFlowNetwork,
    as_span,
    is_count,
)

STREAM_MAGIC, STREAM_VERSION = 0x1950A86A20F9469CFC6C, 1001  # of torch's stream before zip archives


def read_pickle(span: Span, watch: Callable[[int], None] | None = None) -> object:
    """The value pickled in `span`, made of plain containers, numbers, text and stand-ins.

    `watch(position)` is called now and then and may raise to stop. Tensors and arrays stay unread, so the file must stay
    open while the result is in use. Raises Refused (the file asks to run something, named) or Malformed.
    """
    budget = Budget(watch)
    return Machine(Reader(span), snapshot_names(budget), budget).run()


def snapshot_names(budget: Budget) -> dict[str, Maker | None]:
    """Every name that a snapshot may hold, and what is made where the file would call it."""
    names: dict[str, Maker | None] = {
        "torch_utils.persistence._reconstruct_persistent_obj": _object,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_parameter": _parameter,
        "torch.storage._load_from_bytes": partial(_storage, budget),
        "dnnlib.tflib.network.Network": _nothing_given(StoredTensorFlowNetwork),
        "dnnlib.util.EasyDict": _dict,
        "collections.OrderedDict": _dict,
        "numpy.dtype": _number_type,
        "numpy.ndarray": None,
        "_codecs.encode": _encoded,
    }
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray.scalar"] = _number
        names[f"{core}.multiarray._reconstruct"] = _array
        names[f"{core}.numeric._frombuffer"] = _array_of_bytes
    for builtins in ("builtins", "__builtin__"):
        names |= {f"{builtins}.set": _set, f"{builtins}.frozenset": _frozenset, f"{builtins}.dict": _dict}
        names |= {f"{builtins}.list": _items, f"{builtins}.bytes": _nothing_given(bytes)}
    return names


def _nothing_given(make: Callable[[], object]) -> Maker:
    def maker(args: tuple) -> object:
        if args:
            raise Refused(f"refused: the file asks to make a {getattr(make, '__name__', 'value')} in an unknown way")
        return make()

    return maker


def _object(args: tuple) -> StoredObject:
    meta = args[0] if len(args) == 1 else None
    if not isinstance(meta, dict) or meta.get("type") != "class":
        raise Malformed("an object without a description")
    name, state = meta.get("class_name"), meta.get("state")
    if not (isinstance(name, str) and isinstance(state, dict)):
        raise Malformed("an object without a class name or attributes")
    return StoredObject(name, state)


def _tensor(args: tuple) -> StoredTensor:
    if len(args) < 4 or not isinstance(args[0], Storage) or not isinstance(args[2], tuple) or not isinstance(args[3], tuple):
        raise Malformed("a tensor without a storage and a shape")
    return StoredTensor(args[0], args[1], args[2], args[3])


def _parameter(args: tuple) -> StoredTensor:
    if not args or not isinstance(args[0], StoredTensor):
        raise Malformed("a parameter that is not a tensor")
    return args[0]


def _number_type(args: tuple) -> NumberType:
    if not args or not isinstance(args[0], str):
        raise Malformed("a number type without a name")
    return NumberType(args[0])


def _number(args: tuple) -> object:
    if len(args) != 2 or not isinstance(args[0], NumberType):
        raise Malformed("a number without a type")
    return args[0].number(args[1])


def _array(args: tuple) -> StoredArray:
    if not args or not (isinstance(args[0], Name) and args[0].name == "numpy.ndarray"):
        raise Malformed("an array of an unknown class")
    return StoredArray()


def _array_of_bytes(args: tuple) -> StoredArray:
    if len(args) != 4:
        raise Malformed("an array without its four parts")
    data, dtype, shape, order = args
    array = StoredArray()
    array.fill(shape, dtype, data, fortran=order == "F")
    return array


def _encoded(args: tuple) -> bytes:
    """`bytes` as Python 3 writes them for Python 2: latin-1 text, encoded back."""
    if len(args) != 2 or not isinstance(args[0], str) or args[1] not in ("latin1", "latin-1"):
        raise Refused("refused: the file asks to run _codecs.encode in an unknown way")
    return as_span(args[0]).read()


def _dict(args: tuple) -> dict:
    items = args[0] if args else []
    if isinstance(items, dict):
        return dict(items)
    if len(args) > 1 or not isinstance(items, list) or not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in items):
        raise Malformed("a dict that is not made of pairs")
    return {checked_key(pair[0]): pair[1] for pair in items}


def _items(args: tuple) -> list:
    if len(args) > 1 or (args and not isinstance(args[0], (list, tuple, set, frozenset))):
        raise Malformed("a container that is not made of a list")
    return list(args[0]) if args else []


def _set(args: tuple) -> set:
    return {checked_key(item) for item in _items(args)}


def _frozenset(args: tuple) -> frozenset:
    return frozenset(checked_key(item) for item in _items(args))


# The stream inside a tensor: five pickles (magic number, version, machine, the storage's description, its key),
# then an 8-byte count and the numbers.


def _storage(budget: Budget, args: tuple) -> Storage:
    if len(args) != 1:
        raise Malformed("a storage without bytes")
    span = as_span(args[0])
    reader = Reader(span)
    classes: dict[str, Maker | None] = {f"torch.{name}": None for name in STORAGE_DTYPES}
    magic, version, machine, found, _ = (Machine(reader, classes, budget, _described_storage).run() for _ in range(5))
    if type(magic) is not int or (magic, version) != (STREAM_MAGIC, STREAM_VERSION) or not isinstance(found, _Description):
        raise Malformed("a storage that does not start as torch writes it")
    if isinstance(machine, dict) and machine.get("little_endian") is False:
        raise Malformed("a storage written on a big-endian machine, which is not supported")
    dtype, count = found.dtype, found.count
    size = count * (2 if dtype == "bf16" else int(dtype[1:]))
    if struct.unpack("<q", reader.read(8))[0] != count or reader.left != size:
        raise Malformed(f"a storage of {count} numbers ({size} bytes) that holds {reader.left} bytes")
    return Storage(dtype, count, reader.skip(size))


@dataclass(frozen=True)
class _Description:
    dtype: str
    count: int


def _described_storage(description: object) -> _Description:
    """A storage's persistent id, ("storage", class, key, device, count, view): its number type and count."""
    if not (isinstance(description, tuple) and len(description) in (5, 6) and description[0] == "storage"):
        raise Refused("refused: the file refers to an object outside itself")
    kind, count = description[1], description[4]
    if not isinstance(kind, Name) or not is_count(count) or description[5:] not in ((), (None,)):
        raise Malformed("a storage of an unknown kind")
    assert isinstance(count, int)
    return _Description(STORAGE_DTYPES[kind.name.removeprefix("torch.")], count)

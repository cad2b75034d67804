"""Every sentence with which the restricted unpickler refuses, once; and what beside them is read."""

import pickle
import struct

import numpy as np
import pytest

from networks.loading.errors import Malformed, Refused
from networks.loading.pickle_limits import Budget, copied
from networks.loading.spans import Span
from tests.networks.loading.pickles import Raw, call, named, network, pickled, read, storage_bytes, value

FOUR = np.arange(4, dtype="<f4").tobytes()
ORDERED, NDARRAY = named("collections", "OrderedDict").code, named("numpy", "ndarray").code
NUMBER, ARRAY = call("numpy", "dtype", "f8", False, True), call("numpy.core.multiarray", "_reconstruct", Raw(NDARRAY), (0,), b"b")
BYTES = call("torch.storage", "_load_from_bytes", storage_bytes(FOUR))


def described(*of: object) -> bytes:
    """A tensor's stream whose storage is this, instead of ("storage", class, key, device, count, view)."""
    return call("torch.storage", "_load_from_bytes", storage_bytes(FOUR, description=of)).code


def changed(before: bytes, after: bytes) -> bytes:
    return call("torch.storage", "_load_from_bytes", storage_bytes(FOUR).replace(before, after, 1)).code


CLOSED = [  # opcodes, and what the sentence says
    (value(3) + value(()) + b"R", "call a int"),
    (value({}) + value(()) + b"R", "call a dict"),
    (value("os.system") + value(("true",)) + b"\x81", "call a str"),
    (value(3) + value("system") + b"\x93", "a name that is not text"),
    (value("os") + value(3) + b"\x93", "a name that is not text"),
    (NDARRAY + value((4,)) + b"R", "call numpy.ndarray in an unknown way"),  # allowed to be named, not to be called
    (named("torch._utils", "_rebuild_tensor_v2").code + value({"a": 1}) + b"R", "_rebuild_tensor_v2 in an unknown way"),
    (ORDERED + value(()) + value({"x": 1}) + b"\x92", "call collections.OrderedDict with keywords"),
    (value(1) + value(()) + value({"x": 1}) + b"\x92", "call an object with keywords"),
    (b"(" + ORDERED + b"o", "make collections.OrderedDict in a way"),
    (b"(o", "make an object in a way"),
    (b"(" + value(1) + b"o", "make an object in a way"),
    (value([]) + value({"append": 1}) + b"b", "change a list"),
    (value([]) + value(None) + b"b", "change a list"),
    (value({}) + value([]) + b"b", "change a dict"),
    (value("x") + b"Q", "an object outside itself"),
    (value(3) + value("k") + value(1) + b"s", "a dict is missing"),
    (value(3) + value(1) + b"a", "a list is missing"),
    (value(3) + b"(" + value(1) + b"\x90", "a set is missing"),
    (b"(" + value(1) + b"d", "a key and no value"),
    (b"gx\n", "value -1 is used before it is given"),
    (b"Ix\n", "'x' is not a number"),
    (b"T\xff\xff\xff\xff", "a byte string of -1 bytes"),
    (b"\x8a\x21" + b"\x01" * 33, "an integer of 33 bytes"),
    (b"\x97", "instructions? that snapshots do not use"),  # a buffer outside the file
    (call("_codecs", "encode", "6f73", "hex").code, "_codecs.encode in an unknown way"),
    (call("_codecs", "encode", 3, "latin1").code, "_codecs.encode in an unknown way"),
    (call("_codecs", "encode", "a", "latin1", 1).code, "_codecs.encode in an unknown way"),
    (call("builtins", "bytes", 10**9).code, "make a bytes in an unknown way"),
    (call("numpy", "dtype", "O8", False, True).code, "'O8', which is not a plain number type"),
    (call("numpy", "dtype", "V8", False, True).code, "'V8', which is not a plain number type"),
    (call("numpy", "dtype").code, "a number type without a name"),
    (call("numpy", "dtype", 8).code, "a number type without a name"),
    (NUMBER.code + value({"make": 1}) + b"b", "an unknown byte order"),
    (NUMBER.code + value((3, "?", None, None, None)) + b"b", "an unknown byte order"),
    (NUMBER.code + value((3, "<", None)) + b"b", "an unknown byte order"),
    (NUMBER.code + value([3, "<", None, None, None]) + b"b", "an unknown byte order"),
    *(
        (NUMBER.code + value((3, "<", *("x" if i == at else None for i in range(3)), -1, -1, 0)) + b"b", "an array of records")
        for at in range(3)
    ),
    (call("numpy.core.multiarray", "scalar", NUMBER).code, "a number without a type"),
    (call("numpy.core.multiarray", "scalar", "f8", b"12345678").code, "a number without a type"),
    (call("numpy.core.multiarray", "scalar", NUMBER, b"1234567").code, "a number of 7 bytes where 8 are expected"),
    (call("numpy.core.multiarray", "_reconstruct").code, "an array of an unknown class"),
    (call("numpy.core.multiarray", "_reconstruct", 3).code, "an array of an unknown class"),
    (call("numpy.core.multiarray", "_reconstruct", Raw(ORDERED)).code, "an array of an unknown class"),
    (call("numpy.core.numeric", "_frombuffer", b"12345678", NUMBER, (1,)).code, "without its four parts"),
    (ARRAY.code + value((1, (1,), NUMBER, False)) + b"b", "without its five parts"),
    (ARRAY.code + value([1, (1,), NUMBER, False, b"12345678"]) + b"b", "without its five parts"),
    (ARRAY.code + value((1, (1,), NUMBER, False, [3])) + b"b", "an array of Python objects"),
    (ARRAY.code + value((1, 1, NUMBER, False, b"12345678")) + b"b", "an array whose shape or type is none"),
    (ARRAY.code + value((1, (1,) * 9, NUMBER, False, b"12345678")) + b"b", "an array whose shape or type is none"),
    (ARRAY.code + value((1, (-1,), NUMBER, False, b"12345678")) + b"b", "an array whose shape or type is none"),
    (ARRAY.code + value((1, (1,), "f8", False, b"12345678")) + b"b", "an array whose shape or type is none"),
    (ARRAY.code + value((1, (2,), NUMBER, False, b"12345678")) + b"b", r"shape \[2\] that comes with 8 bytes"),
    (ARRAY.code + value((1, (1,), NUMBER, False, 3)) + b"b", "a int where bytes are expected"),
    (ARRAY.code + value((1, (1,), NUMBER, False, "\u2603" * 8)) + b"b", "text where bytes are expected"),
    (call("collections", "OrderedDict", [("a", 1)], 2).code, "not made of pairs"),
    (call("collections", "OrderedDict", 3).code, "not made of pairs"),
    (call("collections", "OrderedDict", [3]).code, "not made of pairs"),
    (call("collections", "OrderedDict", ["ab"]).code, "not made of pairs"),
    (call("collections", "OrderedDict", [("a", 1, 2)]).code, "not made of pairs"),
    (call("builtins", "set", [1], [2]).code, "not made of a list"),
    (call("builtins", "list", "text").code, "not made of a list"),
    (call("builtins", "set", [[1]]).code, "a dict key that is a list"),
    (value([]) + b"(" + value(((1, 2), 3)) + b"\x91", "a dict key of nested tuples"),
    (value({}) + value((1,) * 3) + value(1) + b"s", "a dict key that is a tuple"),
    (value({}) + value(([],)) + value(1) + b"s", "a dict key that is a list"),
    (value({}) + b"\x8a\x09" + b"\x00" * 8 + b"\x01" + value(1) + b"s", "a dict key that is a int"),
    (value({}) + b"\x8a\x09" + b"\x00" * 8 + b"\xff" + value(1) + b"s", "a dict key that is a int"),
    (value({}) + b"\x8a\x09" + b"\x00" * 7 + b"\x80\x00" + value(1) + b"s", "a dict key that is a int"),
    (call("torch_utils.persistence", "_reconstruct_persistent_obj").code, "an object without a description"),
    (call("torch_utils.persistence", "_reconstruct_persistent_obj", 3).code, "an object without a description"),
    (call("torch_utils.persistence", "_reconstruct_persistent_obj", {"type": "function"}).code, "an object without a description"),
    (network({}, class_name=3).code, "without a class name or attributes"),
    (network([]).code, "without a class name or attributes"),
    (call("dnnlib.tflib.network", "Network").code + value([]) + b"b", "a TensorFlow network whose state is not a dict"),
    (call("torch._utils", "_rebuild_tensor_v2", BYTES, 0, (4,)).code, "a tensor without a storage and a shape"),
    (call("torch._utils", "_rebuild_tensor_v2", 3, 0, (4,), (1,)).code, "a tensor without a storage and a shape"),
    (call("torch._utils", "_rebuild_tensor_v2", BYTES, 0, 4, (1,)).code, "a tensor without a storage and a shape"),
    (call("torch._utils", "_rebuild_tensor_v2", BYTES, 0, (4,), 1).code, "a tensor without a storage and a shape"),
    (call("torch._utils", "_rebuild_parameter").code, "a parameter that is not a tensor"),
    (call("torch._utils", "_rebuild_parameter", 3).code, "a parameter that is not a tensor"),
    (call("torch.storage", "_load_from_bytes").code, "a storage without bytes"),
    (call("torch.storage", "_load_from_bytes", pickled(1, 2) * 5).code, "does not start as torch writes it"),
    (changed(b"Q.", b"."), "does not start as torch writes it"),
    (changed(pickled(1001, 2), pickled(1002, 2)), "does not start as torch writes it"),
    (changed(value("little_endian") + b"\x88", value("little_endian") + b"\x89"), "big-endian"),
    (described("module", named("torch", "FloatStorage", 2), "1", "cpu", 4, None), "an object outside itself"),
    (described("storage", named("torch", "FloatStorage", 2), "1", "cpu"), "an object outside itself"),
    (call("torch.storage", "_load_from_bytes", value(["storage", 1, 2, 3, 4]) + b"Q.").code, "an object outside itself"),
    (described("storage", "FloatStorage", "1", "cpu", 4, None), "a storage of an unknown kind"),
    (described("storage", named("torch", "FloatStorage", 2), "1", "cpu", "4", None), "a storage of an unknown kind"),
    (described("storage", named("torch", "FloatStorage", 2), "1", "cpu", 4, ("a view",)), "a storage of an unknown kind"),
    (described("storage", named("torch", "QInt8Storage", 2), "1", "cpu", 4, None), "asks to run torch.QInt8Storage"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "says"), CLOSED, ids=range(len(CLOSED)))
def test_other_ways_out_are_closed(code, says):
    with pytest.raises(Malformed, match=says):
        read(b"\x80\x04" + code + b".")


@pytest.mark.parametrize(
    ("code", "of"),
    [
        (value(1) + value(2) + b"0", 1),
        (value(1) + b"(0", 1),
        (value(1) + b"(" + value(2) + b"1", 1),
        (value(1) + b"2\x86", (1, 1)),
        (value({None: 1, (1, "x"): 2, 2**63 - 1: 3, -(2**63) + 1: 4}), {None: 1, (1, "x"): 2, 2**63 - 1: 3, -(2**63) + 1: 4}),
        (b"\x8a\x00", 0),
        (b"\x8a\x01\xff", -1),
        (b"\x8a\x20" + b"\xff" * 31 + b"\x7f", 2**255 - 1),
        (ORDERED + value(()) + value({}) + b"\x92", {}),
        (call("collections", "OrderedDict", [("a", 1), ["b", 2]]).code, {"a": 1, "b": 2}),
        (call("collections", "OrderedDict", {"a": 1}).code, {"a": 1}),
        (call("builtins", "list").code, []),
        (call("builtins", "bytes").code, b""),
        (call("_codecs", "encode", "\xff", "latin1").code, b"\xff"),
        (b"U\x02a\xff", "a\xff"),  # what Python 2 wrote
    ],
)
def test_what_python_reads_too_is_read(code, of):
    assert read(b"\x80\x04" + code + b".") == of == pickle.loads(b"\x80\x04" + code + b".", encoding="latin-1")


def test_a_storage_may_be_described_without_a_view():
    code = described("storage", named("torch", "FloatStorage", 2), "1", "cpu", 4)
    assert read(pickled(call("torch._utils", "_rebuild_tensor_v2", Raw(code), 0, (4,), (1,)))).read().tolist() == [0, 1, 2, 3]


def test_dicts_with_a_state_take_it():
    marked = b"(" + value("a") + value(1) + b"d"
    assert read(b"\x80\x04" + marked + value({"b": 2}) + b"b.") == {"a": 1, "b": 2}
    assert read(b"\x80\x04" + marked + value(None) + b"b.") == {"a": 1}


def test_long_bytes_of_python_2_stay_on_disk():
    found = read(b"\x80\x02T" + struct.pack("<i", 300) + b"x" * 300 + b".")
    assert isinstance(found, Span) and found.read() == b"x" * 300


def test_a_budget_is_spent_once_and_watched_now_and_then():
    watched: list[int] = []
    budget = Budget(watched.append, steps=6000)
    for position in range(6000):
        budget.spend(1, position)
    assert watched == [1904, 3952], "every 2048 steps"
    with pytest.raises(Refused, match="more than 400,000 objects"):
        budget.spend(1, 0)


def test_a_copy_costs_its_elements():
    assert copied(([1, 2], {"a": 1}, "x" * 512, b"y" * 256, 3, (4,))) == 2 + 1 + 2 + 1 + 1

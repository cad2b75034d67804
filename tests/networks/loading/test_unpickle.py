"""The restricted unpickler: what it reads, what it refuses by name, and that it never runs anything."""

import copyreg
import io
import math
import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import example, given, strategies as st

from networks.loading import LoadError, load
from networks.loading.errors import Malformed, Refused
from networks.loading.stand_ins import StoredArray, StoredTensor
from tests.networks.loading.pickles import GOLDEN, Raw, call, named, network, pickled, read, snapshot, storage_bytes, tensor, value

FOUR = np.arange(4, dtype="<f4").tobytes()

HOSTILE = {  # what the message must name: the opcodes that ask for it; {} is a command that would leave a trace
    "os.system": lambda trace: call("os", "system", trace),
    "posix.system": lambda trace: call("posix", "system", trace),
    "builtins.eval": lambda trace: call("builtins", "eval", f"__import__('os').system({trace!r})"),
    "builtins.exec": lambda trace: call("builtins", "exec", f"import os; os.system({trace!r})"),
    "subprocess.Popen": lambda trace: call("subprocess", "Popen", trace, -1, None, None, None, None, None, True, True),
    "builtins.getattr": lambda trace: call("builtins", "getattr", call("builtins", "__import__", "os"), "system"),
    "builtins.__import__": lambda trace: call("builtins", "__import__", "os"),
    "collections.OrderedDict.__class__": lambda trace: named("collections", "OrderedDict.__class__"),
    "torch._utils._rebuild_tensor_v2.__globals__": lambda trace: named("torch._utils", "_rebuild_tensor_v2.__globals__"),
    "torch.load": lambda trace: call("torch", "load", "elsewhere.pt"),
    "torch.serialization.load": lambda trace: call("torch.serialization", "load", "elsewhere.pt"),
    "numpy.load": lambda trace: call("numpy", "load", "elsewhere.npy", None, True),
    "functools.partial": lambda trace: call("functools", "partial", named("os", "system"), trace),
    "copyreg._reconstructor": lambda trace: call("copyreg", "_reconstructor", named("collections", "OrderedDict"), None, None),
    "copyreg.add_extension": lambda trace: call("copyreg", "add_extension", "os", "system", 240),
    "operator.attrgetter": lambda trace: call("operator", "attrgetter", "system"),
    "pickle.loads": lambda trace: call("pickle", "loads", pickled(call("os", "system", trace))),
    "types.CodeType": lambda trace: named("types", "CodeType"),
    "runpy.run_path": lambda trace: call("runpy", "run_path", "x.py"),
}


@pytest.fixture
def trace(tmp_path):
    """A shell command that leaves a file behind; the test fails if it was ever run."""
    mark = tmp_path / "it-ran"
    yield f"touch {mark}"
    assert not mark.exists()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("where", ["alone", "G", "G_ema", "a tensor's storage", "a weight's key", "an argument"])
def test_what_a_file_asks_to_run_is_refused_by_name(name, where, trace):
    bomb = HOSTILE[name](trace)
    file = {
        "alone": pickled(bomb),
        "G": pickled({"G": bomb, "G_ema": None}),
        "G_ema": snapshot(network({"_parameters": {"weight": bomb}})),
        "a tensor's storage": snapshot(tensor(pickled(bomb) + storage_bytes(FOUR), 0, (4,), (1,))),
        "a weight's key": snapshot(tensor(storage_bytes(FOUR, description=("storage", bomb, "1", "cpu", 4, None)), 0, (4,), (1,))),
        "an argument": snapshot(network({"_init_kwargs": {"z_dim": bomb}})),
    }[where]
    with pytest.raises(Refused) as caught:
        read(file)
    assert str(caught.value) == f"refused: the file asks to run {name}"


def test_the_bombs_are_live(tmp_path):
    """Python's own pickle does run them: otherwise the tests above would prove nothing."""
    mark = tmp_path / "ran"
    for protocol in (0, 4):
        pickle.loads(pickled(call("os", "system", f"touch {mark}", protocol=protocol), protocol))
        assert mark.exists()
        mark.unlink()


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_old_protocols_are_refused_by_name_too(protocol, trace, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.system, (trace,)

    path = tmp_path / "bomb.pkl"
    path.write_bytes(pickle.dumps({"G_ema": Bomb()}, protocol))
    with pytest.raises(LoadError, match=r"refused: the file asks to run (posix|nt)\.system.*Nothing was run"):
        load(path)


def test_the_old_instance_opcode_is_refused_by_name():
    with pytest.raises(Refused, match=r"os\.system"):
        read(b"(Vtrue\nios\nsystem\n.")


def test_registered_extensions_are_refused():
    copyreg.add_extension("os", "system", 240)
    try:
        bomb = b"\x80\x02\x82\xf0" + value(("true",)) + b"R."
        assert pickle.loads(bomb) == 0  # live
        with pytest.raises(Refused, match="extension 240"):
            read(bomb)
    finally:
        copyreg.remove_extension("os", "system", 240)


def test_embedded_source_is_not_kept():
    found = read(snapshot(network({"training": False})))
    assert vars(found["G_ema"]) == {"class_name": "Generator", "state": {"training": False}}


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(plain, st.sampled_from([2, 3, 4, 5]))
def test_plain_values_come_back_as_python_reads_them(of, protocol):
    assert read(pickle.dumps(of, protocol)) == of


@given(st.lists(st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False)), st.sampled_from([0, 1]))
@example([1e-8, math.inf], 0)
def test_numbers_come_back_from_the_oldest_files(of, protocol):
    assert read(pickle.dumps(of, protocol)) == of


@given(st.sets(st.text(max_size=3), max_size=5), st.sampled_from([2, 3, 4]))
def test_sets_come_back(of, protocol):
    assert read(pickle.dumps([of, frozenset(of)], protocol)) == [of, of]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<i8", "|b1", "<f2"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 2)])
def test_arrays_come_back(protocol, dtype, shape):
    array = (np.arange(np.prod(shape, dtype=int)) % 2).reshape(shape).astype(dtype)
    for of in (array, np.array(array, order="F")):
        found = read(pickle.dumps(of, protocol))
        assert isinstance(found, StoredArray) and found.shape == shape
        np.testing.assert_array_equal(found.read(), of)
        assert found.read().dtype.isnative


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool])
def test_tensors_come_back(dtype):
    of = torch.arange(24).reshape(2, 3, 4).to(dtype)
    for view in (of, of.transpose(0, 2), of[1:, ::2], of[0, 0, 0], of[:, :0]):
        found = read(pickle.dumps(view))
        assert isinstance(found, StoredTensor) and found.shape == tuple(view.shape)
        np.testing.assert_array_equal(found.read(), view.float().numpy())


def test_numbers_of_numpy_come_back():
    assert read(pickle.dumps([np.float64(0.25), np.bool_(True), np.int64(-3)])) == [0.25, True, -3]


def test_arrays_of_objects_are_refused():
    with pytest.raises(Refused):
        read(pickle.dumps(np.array([{}, 1], dtype=object)))


@pytest.mark.parametrize(
    ("data", "offset", "shape", "strides"),
    [
        (storage_bytes(FOUR), 0, (5,), (1,)),
        (storage_bytes(FOUR), 1, (4,), (1,)),
        (storage_bytes(FOUR), 0, (2, 2), (3, 1)),
        (storage_bytes(bytes(1 << 20)), 0, (2,), ((1 << 18) - 1,)),  # few numbers for which the whole file would be read
        (storage_bytes(FOUR), 0, (1 << 40,), (0,)),  # one number, a trillion times
        (storage_bytes(FOUR), 0, (4,), (-1,)),
        (storage_bytes(FOUR), -1, (4,), (1,)),
        (storage_bytes(FOUR), 0, (4,), (1, 1)),
        (storage_bytes(FOUR), 0, (True,), (1,)),
        (storage_bytes(FOUR), 0, (1,) * 9, (1,) * 9),
        (storage_bytes(FOUR, count=5), 0, (4,), (1,)),
        (storage_bytes(FOUR, count=1 << 60), 0, (4,), (1,)),
        (storage_bytes(FOUR, count=-1), 0, (4,), (1,)),
        (storage_bytes(FOUR, kind="DoubleStorage"), 0, (4,), (1,)),
        (storage_bytes(FOUR)[:-1], 0, (4,), (1,)),
        (storage_bytes(FOUR) + b"x", 0, (4,), (1,)),
        (b"", 0, (4,), (1,)),
        (b"PK\x03\x04", 0, (4,), (1,)),
    ],
)
def test_tensors_that_claim_what_is_not_there_are_refused(data, offset, shape, strides):
    with pytest.raises(Malformed):
        read(pickled(tensor(data, offset, shape, strides)))


def deep(levels: int) -> bytes:
    return b"\x80\x04" + b"]" * levels + b"a" * (levels - 1) + b"."


def laughs() -> bytes:
    """Each level a tuple of the one before, twice: 2**200 leaves for whoever walks or hashes it."""
    return b"\x80\x04" + value("ha") + b"2\x86" * 200 + b"q\x00}h\x00K\x01s."


def copies() -> bytes:
    """One long list, copied again and again."""
    return b"\x80\x04(" + b"N" * 100_000 + b"lq\x00" + b"0" + (named("builtins", "list").code + b"h\x00\x85R") * 50_000 + b"."


BOMBS = {
    "a text of 4 GiB": b"\x80\x04X\xff\xff\xff\xffabc.",
    "a text of 2**63 bytes": b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7fabc.",
    "bytes of 2**64 - 1": b"\x80\x04\x8e" + b"\xff" * 8 + b"abc.",
    "a bytearray of 2**62": b"\x80\x05\x96" + b"\x00" * 7 + b"\x40abc.",
    "an integer of 2 GiB": b"\x80\x04\x8b\xff\xff\xff\x7fabc.",
    "an integer of 255 bytes": b"\x80\x04\x8a\xff" + b"\x01" * 255 + b".",
    "an integer of -1 bytes": b"\x80\x04\x8b\xff\xff\xff\xffabc.",
    "a frame of 2**63": b"\x80\x04\x95" + b"\xff" * 7 + b"\x7f" + b"N.",
    "an array of 2**80 numbers": pickled(Raw(call("numpy.core.multiarray", "_reconstruct", named("numpy", "ndarray"), (0,), b"b").code
        + value((1, (1 << 40, 1 << 40), call("numpy", "dtype", "f8", False, True), False, b"12345678")) + b"b")),
    "half a million lists": b"\x80\x04(" + b"]" * 500_000 + b"t.",
    "half a million marks": b"\x80\x04" + b"(" * 500_000 + b"t.",
    "billion laughs": laughs(),
    "copies of a long list": copies(),
    "nothing on the stack": b"\x80\x04.",
    "no mark": b"\x80\x04t.",
    "a forgotten memory": b"\x80\x04h\x07.",
    "no stop": b"\x80\x04N",
    "protocol 6": b"\x80\x06N.",
    "a name without an end": b"\x80\x04c" + b"a" * 4096,
    "text that is none": b"\x80\x04X\x02\x00\x00\x00\xff\xfe.",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_cost_little_and_are_refused(name):
    tracemalloc.start()
    try:
        with pytest.raises(Malformed):
            read(BOMBS[name])
        assert tracemalloc.get_traced_memory()[1] < 150e6
    finally:
        tracemalloc.stop()


def alike(count: int) -> bytes:
    """Tuples with one hash between them, as Python's hashes of -1 and -2 are the same: telling n of them apart takes n * n comparisons."""
    minus = [b"J" + struct.pack("<i", number) for number in (-1, -2)]
    keys = (b"(" + b"".join(minus[i >> bit & 1] for bit in range(15)) + b"tNs" for i in range(count))
    return b"\x80\x04}" + b"".join(keys) + b"."


def two_long_keys(count: int) -> bytes:
    """One long text under two numbers: each use compares both, from the first letter to the last."""
    text = value("a" * (8 << 20))
    return b"\x80\x04" + text + b"q\x010" + text + b"q\x020}h\x01Ns" + b"h\x02Ns" * count + b"."


@pytest.mark.parametrize(
    ("bomb", "says"), [(alike(20_000), "a dict key that is a tuple"), (two_long_keys(20_000), "a dict key of 8,388,608 characters")]
)
def test_keys_that_are_slow_to_tell_apart_are_refused(bomb, says):
    assert len({hash(tuple(-1 - (i >> bit & 1) for bit in range(15))) for i in range(100)}) == 1, "live"
    with pytest.raises(Malformed, match=says):
        read(bomb)


def test_deep_nesting_needs_no_recursion(tmp_path):
    found = read(deep(100_000))
    assert isinstance(found, list)
    path = tmp_path / "deep.pkl"
    path.write_bytes(deep(100_000))
    with pytest.raises(LoadError, match="pickled list"):
        load(path)


def test_steps_of_a_whole_snapshot_are_far_below_the_limit():
    """tiny_r holds three networks; the published ones have about twice its layers."""
    from networks.loading.pickle_limits import MAX_STEPS, Budget
    from networks.loading.pickle_machine import Machine
    from networks.loading.spans import Reader, Span
    from networks.loading.unpickle import snapshot_names

    data = (GOLDEN / "tiny_r.pkl").read_bytes()
    budget = Budget()
    Machine(Reader(Span(io.BytesIO(data), 0, len(data))), snapshot_names(budget), budget).run()
    assert 10_000 < MAX_STEPS - budget.left < MAX_STEPS / 10


def test_every_truncation_of_a_small_pickle_is_malformed():
    whole = snapshot(tensor(storage_bytes(FOUR), 0, (4,), (1,)))
    for length in range(len(whole)):
        with pytest.raises(Malformed):
            read(whole[:length])
    assert isinstance(read(whole)["G_ema"], StoredTensor)


def test_a_file_that_shrinks_while_it_is_read_is_malformed():
    found = read(pickled(tensor(storage_bytes(FOUR), 0, (4,), (1,))))
    assert isinstance(found, StoredTensor)
    found.storage.data.file.truncate(struct.calcsize("<q"))
    with pytest.raises(Malformed, match="shorter"):
        found.read()

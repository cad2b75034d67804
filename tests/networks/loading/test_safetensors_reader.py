"""safetensors out of foreign hands: what the header claims is checked, and a file that shrinks is an error, not the end of the process."""

import json
import os
import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from networks.loading import LoadError, load
from networks.loading.catalogue import BUNDLED_FOLDER
from networks.loading.errors import Malformed
from networks.loading.safetensors_reader import MAX_HEADER_BYTES, MAX_TENSORS, NUMPY, read_tensors
from networks.loading.spans import Span
from viz import latent_file

A = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
NONE = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}


def file_of(tmp_path, header: object, body: bytes = bytes(8), length: int | None = None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = tmp_path / "ws.safetensors"
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + body)
    return path


def read(path):
    with path.open("rb") as file:
        tensors, metadata = read_tensors(Span(file, 0, path.stat().st_size))
        return {name: tensor.read() for name, tensor in tensors.items()}, metadata


def test_every_number_type_comes_back_as_the_library_wrote_it(tmp_path):
    names = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32", "I16": "int16",
             "I8": "int8", "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool"}  # fmt: skip
    kinds = {name: getattr(torch, kind) for name, kind in names.items()}
    assert kinds.keys() == NUMPY.keys()
    tensors = {name: torch.tensor([[0.0, 1, 3], [7, 64, 100]]).to(kind) for name, kind in kinds.items()}
    tensors |= {"nothing": torch.zeros(0, 3), "one": torch.tensor(2.0)}
    save_file(tensors, tmp_path / "all.safetensors", metadata={"a": "ä"})
    found, metadata = read(tmp_path / "all.safetensors")
    assert metadata == {"a": "ä"} and found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        wanted = tensor.float() if name == "BF16" else tensor
        np.testing.assert_array_equal(found[name], wanted.numpy(), err_msg=name)
        assert found[name].flags.writeable, "torch warns of others"


WRONG = {
    "a header beyond the file": ({"a": A}, bytes(8), 4000, "a header of 4,000 bytes is announced"),
    "an endless header": ({"a": A}, b"", MAX_HEADER_BYTES + 1, "longer than that of any network"),
    "a header of 2**64 - 1 bytes": ({"a": A}, b"", 2**64 - 1, "longer than that of any network"),
    "no JSON": (b"{nothing", b"", None, "not readable as JSON"),
    "no UTF-8": (b'{"\xff": 1}', b"", None, "not readable as JSON"),
    "deep": (b'{"a":' + b"[" * 100_000, b"", None, "not readable as JSON"),
    "an integer of 10,000 digits": (b'{"a":{"dtype":"F32","shape":[' + b"9" * 10_000 + b"]}}", b"", None, "not readable as JSON"),
    "a list": ([1], b"", None, "not a list of at most"),
    "very many": ({f"t{i}": NONE for i in range(MAX_TENSORS + 1)}, b"", None, "at most 16,384 tensors"),
    "a number among metadata": ({"__metadata__": {"x": 1}}, b"", None, "metadata are not texts"),
    "half a letter": (b'{"__metadata__": {"x": "\\ud800"}}', b"", None, "metadata are not texts"),
    "half a letter in a name": (b'{"\\ud800": {}}', b"", None, r"tensor \\xd800 is not described"),
    "no description": ({"a": 3}, b"", None, "a is not described"),
    "an unknown type": ({"a": {**A, "dtype": "F8_E4M3"}}, bytes(8), None, "F8_E4M3 numbers, which are not known"),
    "a type that is a list": ({"a": {**A, "dtype": ["F32"]}}, bytes(8), None, "which are not known"),
    "a negative size": ({"a": {**A, "shape": [-2]}}, bytes(8), None, "not a short list of sizes"),
    "a truth for a size": ({"a": {**A, "shape": [True]}}, bytes(8), None, "not a short list of sizes"),
    "a fraction for a size": ({"a": {**A, "shape": [2.0]}}, bytes(8), None, "not a short list of sizes"),
    "a hundred axes": ({"a": {**A, "shape": [1] * 100}}, bytes(8), None, "not a short list of sizes"),
    "2**80 numbers": ({"a": {**A, "shape": [2**40, 2**40]}}, bytes(8), None, "and 8 bytes"),
    "a shape that does not fit": ({"a": {**A, "shape": [3]}}, bytes(8), None, r"shape \[3\] and 8 bytes"),
    "a negative place": ({"a": {**A, "data_offsets": [-8, 0]}}, bytes(8), None, "does not say where"),
    "backwards": ({"a": {**A, "data_offsets": [8, 0]}}, bytes(8), None, "does not say where"),
    "beyond the end": ({"a": {**A, "data_offsets": [8, 16]}}, bytes(8), None, "a ends at byte 16 of 8"),
    "the same numbers twice": ({"a": A, "b": A}, bytes(8), None, "numbers of b do not begin where"),
    "a hole": ({"a": A, "b": {**A, "data_offsets": [9, 17]}}, bytes(17), None, "numbers of b do not begin where"),
    "something behind the last": ({"a": A}, bytes(11), None, "3 bytes at its end belong to no tensor"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_claims_that_do_not_hold_are_refused_and_cost_little(name, tmp_path):
    header, body, length, says = WRONG[name]
    path = file_of(tmp_path, header, body, length)
    tracemalloc.start()
    try:
        with pytest.raises(Malformed, match=says):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()
    with pytest.raises(latent_file.LatentError, match="cannot be read"):
        latent_file.read(path)


def test_a_file_cut_anywhere_is_refused(tmp_path):
    whole = (BUNDLED_FOLDER / "globe-still-t-64.safetensors").read_bytes()
    path = tmp_path / "cut.safetensors"
    for share in range(64):
        path.write_bytes(whole[: len(whole) * share // 64])
        with pytest.raises(LoadError):
            load(path)


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be made shorter there")
def test_a_network_that_is_written_over_while_it_is_read_ends_nothing(tmp_path):
    """A copy over a file begins by making it empty. Read through a mapping, that is the end of the process, by SIGBUS."""
    path = tmp_path / "network.safetensors"
    path.write_bytes((BUNDLED_FOLDER / "globe-r-64.safetensors").read_bytes())
    code = f"""
import os
from networks.loading import LoadError, load
try:
    load({str(path)!r}, progress=lambda done, total, text: text.startswith("Building") and os.truncate({str(path)!r}, 200))
except LoadError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "") and "became shorter while it was read" in done.stdout


def test_numbers_of_64_bits_that_are_none_of_32_are_noted(tmp_path):
    from safetensors import safe_open

    with safe_open(BUNDLED_FOLDER / "globe-still-t-64.safetensors", "pt") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118 (it is no dict)
    tensors["mapping.w_avg"] = tensors["mapping.w_avg"].double() + 1e300
    save_file(tensors, tmp_path / "wide.safetensors", metadata=metadata)
    assert "mapping.w_avg" in load(tmp_path / "wide.safetensors").notes[0]

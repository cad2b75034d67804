"""Published snapshots: every golden picture, and what is said about files that are something else."""

import io
import pickle
import struct
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from networks.build import build
from networks.loading import LoadError, changed_on_disk, load
from networks.loading.pickle_limits import MAX_KEY
from networks.loading.snapshot import read_snapshot
from networks.loading.spans import Span
from networks.loading.tensorflow import read_tuple
from networks.loading.unpickle import read_pickle
from networks.loading.weights import fill
from tests.networks.agreement import TOLERANCE, golden_arrays, outputs, relative_error
from tests.networks.loading.pickles import GOLDEN, TINY, Raw, named, network, pickled, read, snapshot, storage_bytes, tensor, value


@pytest.mark.parametrize("file", [*TINY, "tiny_sg2_tf"])
def test_golden_snapshots_give_the_golden_pictures(file):
    loaded = load(GOLDEN / f"{file}.pkl")
    arrays = golden_arrays(file.removesuffix("_tf"))
    with torch.inference_mode():
        errors = {name: relative_error(value.numpy(), arrays[name]) for name, value in outputs(loaded.network, arrays)}
    assert {"ws", "ws_psi07_cut5", "image"} < set(errors)
    assert max(errors.values()) < TOLERANCE, errors
    assert loaded.kind == ("tensorflow" if file.endswith("_tf") else "snapshot")
    assert loaded.config_name == {"tiny_t": "T", "tiny_t_cond": "T", "tiny_r": "R"}.get(file, "A")
    assert loaded.base_transform is None and loaded.notes == ()
    assert loaded.size_bytes == (GOLDEN / f"{file}.pkl").stat().st_size


def test_the_tensorflow_form_gives_the_same_picture_to_the_bit():
    ours, theirs = (load(GOLDEN / f"{name}.pkl").network for name in ("tiny_sg2", "tiny_sg2_tf"))
    ws = ours.map(torch.from_numpy(golden_arrays("tiny_sg2")["z"]))
    assert torch.equal(ours.synthesize(ws), theirs.synthesize(ws))


def test_tensorflow_arguments_without_a_value_take_their_defaults():
    networks = read_pickle_of((GOLDEN / "tiny_sg2_tf.pkl").read_bytes())
    assert isinstance(networks, tuple)
    plain_config = read_tuple(networks)[0]
    assert (plain_config.conv_clamp, plain_config.num_fp16_res, plain_config.architecture) == (None, 0, "skip")
    networks[2].state["static_kwargs"] |= {"resample_kernel": None, "label_fmaps": None, "architecture": None, "randomize_noise": True}
    assert read_tuple(networks)[0] == plain_config
    networks[2].state["static_kwargs"] |= {"conv_clamp": 256, "resample_kernel": [1, 2, 1]}
    changed = read_tuple(networks)[0]
    assert (changed.conv_clamp, changed.resample_filter) == (256, (1, 2, 1))


def test_the_oldest_tensorflow_form_has_one_layer_to_colours_and_counts_resolutions_from_above():
    """Architecture "orig": ToRGB_lod0 is that of the whole resolution; of later files, those of other resolutions would be in the way."""
    networks = read_pickle_of((GOLDEN / "tiny_sg2_tf.pkl").read_bytes())
    assert isinstance(networks, tuple)
    synthesis = networks[2].state["components"]["synthesis"].state
    before = read_tuple(networks)
    kept = [(name, array) for name, array in synthesis["variables"] if "ToRGB" not in name or name.startswith("32x32/")]
    synthesis["variables"] = [(name.replace("32x32/ToRGB", "ToRGB_lod0"), array) for name, array in kept]
    config, arrays = read_tuple(networks)
    assert config == replace(before[0], architecture="orig")
    expected = {name: array for name, array in before[1].items() if ".torgb." not in name or ".b32." in name}
    assert arrays.keys() == expected.keys() and any(".b32.torgb." in name for name in arrays)
    assert all(np.array_equal(array.read(), expected[name].read()) for name, array in arrays.items())
    assert {name for name, _ in build(config).named_parameters()} <= arrays.keys()


class Altered:
    """A golden snapshot, read as inert data, that a test may change before it is built."""

    def __init__(self, name: str):
        data = (GOLDEN / f"{name}.pkl").read_bytes()
        self.size = len(data)
        self.snapshot = read_pickle(Span(io.BytesIO(data), 0, len(data)))
        assert isinstance(self.snapshot, dict)
        self.state = self.snapshot["G_ema"].state
        self.synthesis = self.part("synthesis")

    def part(self, *names: str):
        found = self.snapshot["G_ema"]
        for name in names:
            found = found.part("_modules")[name]
        return found

    def load(self):
        assert isinstance(self.snapshot, dict)
        config, tensors = read_snapshot(self.snapshot)
        return fill(config, tensors, self.size, lambda done, total: None)[0]


def test_a_stored_transform_is_kept_and_shown(tmp_path):
    altered = Altered("tiny_t")
    turned = np.array([[0, -1, 0.125], [1, 0, 0.25], [0, 0, 1]], np.float32)
    altered.part("synthesis", "input").part("_buffers")["transform"] = read_pickle_of(pickle.dumps(torch.from_numpy(turned)))
    network = altered.load()
    np.testing.assert_array_equal(network.base_transform, turned)
    from networks.loading import save_safetensors

    save_safetensors(network, tmp_path / "turned.safetensors")
    loaded = load(tmp_path / "turned.safetensors")
    assert loaded.base_transform == tuple(tuple(row) for row in turned.tolist())


def read_pickle_of(data: bytes):
    return read_pickle(Span(io.BytesIO(data), 0, len(data)))


def test_arguments_that_the_caller_left_out_stand_as_attributes():
    altered = Altered("tiny_t")
    altered.synthesis.state["output_scale"] = 0.5
    for child in altered.synthesis.part("_modules").values():
        child.state["conv_clamp"] = 2
    config = altered.load().config
    assert (config.output_scale, config.conv_clamp, config.margin_size) == (0.5, 2, 10)


def test_arguments_nested_by_stylegan2_ada_mean_the_same():
    flat, nested = Altered("tiny_sg2"), Altered("tiny_sg2")
    kwargs = nested.state["_init_kwargs"]
    nested.state["_init_kwargs"] = {"mapping_kwargs": kwargs.pop("mapping_kwargs"), "synthesis_kwargs": kwargs}
    assert nested.load().config == flat.load().config


def _claim(**kwargs):
    return lambda altered: altered.state["_init_kwargs"].update(kwargs)


def _attribute(name, value):
    return lambda altered: altered.synthesis.state.update({name: value})


def _drop(name):
    return lambda altered: altered.synthesis.part("_modules")["L0_36_8"].part("_parameters").pop(name)


WRONG = {
    "num_layers": (_claim(num_layers=10**9), "num_layers is 1000000000"),
    "margin": (_attribute("margin_size", 2**40), "margin_size is 1099511627776"),
    "margin that fits no layer": (_attribute("margin_size", 11), "missing"),
    "base": (_claim(channel_base=2**40), "channel_base is"),
    "a base that fits no layer": (_claim(channel_base=2**20, channel_max=16384), "missing"),
    "text": (_claim(channel_base="many"), "channel_base is many"),
    "truth": (_claim(channel_max=True), "channel_max is True"),
    "not a number": (_claim(first_cutoff=float("nan")), "first_cutoff is nan"),
    "no bands": (_claim(first_cutoff=5000.0, first_stopband=6000.0), "make no network"),
    "a list": (_claim(filter_size=[6]), "filter_size is list"),
    "a network": (lambda a: a.state["_init_kwargs"].update(channel_base=a.synthesis), "not a plain value"),
    "an unknown argument": (_claim(magic=1), "unknown constructor argument.* magic"),
    "no tensor": (_drop("weight"), "L0_36_8.weight is missing"),
    "one more": (lambda a: a.synthesis.part("_buffers").update(more=tiny_tensor(4)), "synthesis.more is more than"),
    "another shape": (lambda a: a.part("mapping").part("_buffers").update(w_avg=tiny_tensor(4)), r"mapping.w_avg has the shape \[4\]"),
    "a number for a tensor": (lambda a: a.part("mapping").part("_buffers").update(w_avg=3), "mapping.w_avg is a int"),
    "whole numbers": (lambda a: a.part("mapping").part("_buffers").update(w_avg=tiny_tensor(16, torch.int32)), "holds int32 numbers"),
    "a part twice": (lambda a: a.part("mapping").part("_modules").update(again=a.synthesis), "a part twice"),
    "a circle": (lambda a: a.part("mapping").part("_modules").update(up=a.part("mapping")), "a part twice"),
    "no first layer": (lambda a: a.synthesis.part("_modules").update(L0_36_8=None), "L0_36_8.* missing"),
    "no synthesis": (lambda a: a.part().part("_modules").pop("synthesis"), "neither an alias-free generator nor"),
    "a larger network than the file": (lambda a: setattr(a, "size", 1000), "numbers in a file of 1,000 bytes"),
}  # fmt: skip


def tiny_tensor(count: int, dtype: torch.dtype = torch.float32):
    return read_pickle_of(pickle.dumps(torch.zeros(count, dtype=dtype)))


@pytest.mark.parametrize("name", WRONG)
def test_claims_that_do_not_fit_the_file_are_malformed(name):
    from networks.loading.errors import Malformed

    change, message = WRONG[name]
    altered = Altered("tiny_t")
    altered.load()  # was fine
    change(altered)
    with pytest.raises(Malformed, match=message):
        altered.load()


def _again_and_again(contents: object) -> bytes:
    """A file whose memory holds the longest key that there may be at 1000: every use of it costs five bytes of the file."""
    text = b"X" + struct.pack("<I", MAX_KEY) + b"a" * MAX_KEY
    return b"\x80\x04" + text + b"r" + LONG[1:] + b"0" + value(contents) + b"."


LONG = b"j" + struct.pack("<I", 1000)


def _parts_in_parts() -> bytes:
    part = network({})
    for _ in range(400):
        part = network({"_modules": Raw(b"}(" + LONG + part.code + b"u")})
    return _again_and_again({"G_ema": part})


def _components_in_components() -> bytes:
    def made(state: dict) -> Raw:
        return Raw(named("dnnlib.tflib.network", "Network").code + b")\x81" + value(state) + b"b")

    part = made({"variables": [], "components": {}})
    for _ in range(400):
        part = made({"variables": [], "components": Raw(b"}(" + LONG + part.code + b"u")})
    return _again_and_again((None, None, part))


def _long_arguments() -> bytes:
    keys = Raw(b"}(" + b"".join(b"(" + LONG + value(i) + b"t" + value(i) for i in range(30)) + b"u")
    weight = tensor(storage_bytes(b"\0" * 64), 0, (4, 4), (4, 1))
    parts = {"synthesis": network({"_modules": {"input": network({"_parameters": {"weight": weight}})}}), "mapping": network({})}
    return _again_and_again({"G_ema": network({"_init_kwargs": keys, "_modules": parts})})


@pytest.mark.parametrize("bomb", [_parts_in_parts, _components_in_components, _long_arguments])
def test_names_that_grow_by_being_joined_cost_nothing(bomb, tmp_path):
    """A file of a few kB that would have taken gigabytes and minutes: names of parts are joined to those that hold them."""
    path = tmp_path / "bomb.pkl"
    path.write_bytes(bomb())
    tracemalloc.start()
    try:
        with pytest.raises(LoadError, match="a part whose name is not a text of at most 256 characters"):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()


def test_a_tensor_reads_its_own_part_of_a_storage_that_many_share(monkeypatch):
    asked = []
    read_span = Span.read
    monkeypatch.setattr(Span, "read", lambda span, start=0, count=None: asked.append(count) or read_span(span, start, count))
    shared = np.arange(1000, dtype="<f4").tobytes()
    found = read(pickled(tensor(storage_bytes(shared), 10, (2, 3), (4, 1))))
    asked.clear()
    assert found.read().tolist() == [[10, 11, 12], [14, 15, 16]]
    assert asked == [7 * 4]


def test_a_huge_claim_is_refused_before_memory_is_allocated(tmp_path):
    """A resolution of 8192 with 16384 channels would take 50 GB; only its outline may be made."""
    state = {"_init_kwargs": {"img_resolution": 8192, "channel_base": 1 << 22, "channel_max": 1 << 14}}
    weight = tensor(storage_bytes(b"\0" * 64), 0, (4, 4), (4, 1))
    parts = {"input": network({"_parameters": {"weight": weight}, "_modules": {}})}
    state["_modules"] = {"synthesis": network({"_modules": parts}), "mapping": network({})}
    path = tmp_path / "huge.pkl"
    path.write_bytes(snapshot(network(state)))
    with pytest.raises(LoadError, match="missing: the weights do not belong to the constructor arguments"):
        load(path)


OTHERS = {
    "empty.pkl": (b"", "is empty"),
    "page.pkl": (b"<!DOCTYPE html><title>404</title>", "is a web page"),
    "zip.pkl": (b"PK\x03\x04 and so on", "is a zip archive"),
    "picture.pkl": (b"\x89PNG\r\n\x1a\n", "is a PNG picture"),
    "pointer.pkl": (b"version https://git-lfs.github.com/spec/v1\noid", "git-lfs"),
    "error.pkl": (b'{"message": "not found"}', "is JSON"),
    "noise.bin": (bytes(range(100, 164)), "is not a known kind of network file"),
    "list.pkl": (pickled([1, 2]), "pickled list"),
    "no-network.pkl": (pickled({"G": None, "loss": 3}), r"holds no network G_ema \(it holds: G, loss\)\. Choose"),
    "number.pkl": (pickled({"G_ema": 3}), "G_ema is a int"),
    "pair.pkl": (pickled((1, 2)), "is a tuple, but not one of three"),
    "hollow.pkl": (snapshot(network({})), "neither an alias-free generator nor"),
    "half.pkl": ((GOLDEN / "tiny_t.pkl").read_bytes()[:90_000], "ends early"),
    "half.safetensors": ((30000).to_bytes(8, "little") + b'{"a', "header"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_get_one_clear_error(name, tmp_path):
    data, message = OTHERS[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(LoadError, match=message) as caught:
        load(path)
    error = caught.value
    assert error.what == name and error.why and error.do and "\n" not in str(error)


def test_a_network_with_broken_weights_loads_with_a_note(tmp_path):
    altered = Altered("tiny_t")
    broken = altered.load()
    broken.mapping.w_avg[3] = float("nan")
    from networks.loading import save_safetensors

    save_safetensors(broken, tmp_path / "nan.safetensors")
    assert "mapping.w_avg" in load(tmp_path / "nan.safetensors").notes[0]


def test_a_changed_file_is_noticed(tmp_path):
    path = tmp_path / "network.pkl"
    path.write_bytes((GOLDEN / "tiny_t.pkl").read_bytes())
    loaded = load(path)
    known = loaded.path, loaded.size_bytes, loaded.modified_ns
    assert not changed_on_disk(*known)
    path.write_bytes((GOLDEN / "tiny_r.pkl").read_bytes())
    assert changed_on_disk(*known)
    path.unlink()
    assert not changed_on_disk(*known)


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path):
    path = tmp_path / "network.pkl"
    path.write_bytes((GOLDEN / "tiny_t.pkl").read_bytes())

    def grow(done, total, text):
        with path.open("ab") as file:
            file.write(b"x")

    with pytest.raises(LoadError, match="changed while it was read"):
        load(path, progress=grow)
    assert load(path).kind == "snapshot"


def test_loading_reports_progress_and_can_be_cancelled():
    from networks.loading import LoadCancelled

    path, seen = GOLDEN / "tiny_t.pkl", []
    load(path, progress=lambda *said: seen.append(said))
    assert all(0 <= done <= total == path.stat().st_size for done, total, _ in seen)
    assert {text for _, _, text in seen} == {"Reading tiny_t.pkl", "Building tiny_t.pkl"}
    for patience in (0, 1, 2, 20):
        asked = iter(range(1000))
        with pytest.raises(LoadCancelled):
            load(path, cancelled=lambda asked=asked, patience=patience: next(asked) >= patience)
    assert load(path).kind == "snapshot"


def test_a_missing_device_is_one_clear_error():
    with pytest.raises(LoadError, match="nonsense"):
        load(GOLDEN / "tiny_t.pkl", device="nonsense")


def test_the_generator_and_discriminator_are_not_needed(tmp_path):
    altered = Altered("tiny_t")
    assert isinstance(altered.snapshot, dict)
    altered.snapshot.pop("G"), altered.snapshot.pop("D")
    altered.load()

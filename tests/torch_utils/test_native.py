"""The native filters against the golden arrays and against the reference, on every instruction set that this machine has."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings, strategies as st

from torch_utils import native_library
from torch_utils.native_build import NativeUnavailable
from torch_utils.ops import filtered_lrelu, upfirdn2d, use
from torch_utils.ops.dispatch import decisions
from torch_utils.ops.filtered_lrelu import FilteredLreluOptions

GOLDEN = Path(__file__).parent.parent / "golden"
TOLERANCE = 1e-5

try:
    LEVELS = list(range(min(native_library.library().af_level(), 2) + 1))
except NativeUnavailable as error:
    pytest.skip(f"no native library: {error}", allow_module_level=True)

from torch_utils.ops import native  # noqa: E402  needs the library above


@pytest.fixture(params=LEVELS, ids=lambda level: native_library.LEVELS[level])
def level(request):
    """Limits the library to one instruction set."""
    native_library.limit_level(request.param)
    yield request.param
    native_library.limit_level(1000)


@pytest.fixture
def threads():
    """Two threads for the test, whatever the environment says."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(before)


def assert_close(actual: torch.Tensor, expected: torch.Tensor, tolerance: float = TOLERANCE) -> None:
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    scale = max(expected.abs().max().item(), 1e-30)
    assert (actual.double() - expected.double()).abs().max().item() <= tolerance * scale


def golden_cases(op: str) -> list:
    cases = json.loads((GOLDEN / "ops.json").read_text())
    return [pytest.param(case, id=f"{op}-{case['case']}") for case in cases if case["op"] == op]


def options_of(case: dict) -> dict:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in case.items() if key not in ("op", "case")}


@pytest.fixture(scope="module")
def arrays():
    with np.load(GOLDEN / "ops.npz") as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


@pytest.mark.parametrize("case", golden_cases("upfirdn2d"))
def test_upfirdn2d_golden(case, arrays, level, threads):
    prefix = f"upfirdn_{case['case']}_"
    f = arrays.get(prefix + "f")
    with use("native" if f is not None else None):  # without a filter there is nothing to be fast at
        y = upfirdn2d(arrays[prefix + "x"], f, **options_of(case))
    assert_close(y, arrays[prefix + "y"])


@pytest.mark.parametrize("case", golden_cases("filtered_lrelu"))
def test_filtered_lrelu_golden(case, arrays, level, threads):
    prefix = f"flrelu_{case['case']}_"
    with use("native"):
        y = filtered_lrelu(*(arrays.get(prefix + name) for name in ("x", "fu", "fd", "b")), **options_of(case))
    assert_close(y, arrays[prefix + "y"])


def layers() -> list:
    specs = json.loads((GOLDEN / "layer_specs.json").read_text())
    names = ("t256", "r256", "t256_filter_size=4", "t256_filter_size=8", "t256_lrelu_upsampling=1", "r256_lrelu_upsampling=4")
    seen, found = set(), []
    for name in names:
        for index, layer in enumerate(specs[name]["layers"]):
            if layer["is_torgb"]:
                continue
            kind = json.dumps(
                [layer[key] for key in ("in_size", "out_size", "up_factor", "up_taps", "down_taps", "padding", "down_filter")]
            )
            if kind not in seen:
                seen.add(kind)
                found.append(pytest.param(layer, id=f"{name}-L{index}"))
    return found


def layer_call(layer: dict, channels: int) -> tuple[tuple, dict]:
    with np.load(GOLDEN / "filters.npz") as stored:
        fu, fd = (torch.from_numpy(stored[layer[key]]) if layer[key] else None for key in ("up_filter", "down_filter"))
    width, height = (size + layer["conv_kernel"] - 1 for size in layer["in_size"])
    generator = torch.Generator().manual_seed(width)
    x = torch.randn(1, channels, height, width, generator=generator)
    b = torch.randn(channels, generator=generator)
    options = {"up": layer["up_factor"], "down": layer["down_factor"], "padding": tuple(layer["padding"]), "clamp": 1.5}
    return (x, fu, fd, b), options


@pytest.mark.parametrize("layer", layers())
def test_every_layer_agrees_with_the_reference(layer, threads):
    tensors, options = layer_call(layer, channels=3)
    with use("reference"):
        expected = filtered_lrelu(*tensors, **options)
    assert expected.shape[2:] == torch.Size(layer["out_size"][::-1])
    try:
        for level in LEVELS:
            native_library.limit_level(level)
            with use("native"):
                assert_close(filtered_lrelu(*tensors, **options), expected)
    finally:
        native_library.limit_level(1000)


@pytest.mark.parametrize("index", [1, 3], ids=["2 up", "4 up"])
@pytest.mark.parametrize("by", [1, 2, 3])
def test_radial_filters_with_other_paddings(index, by, level):
    """The grid of upsampled samples begins at another phase then, which not every kernel takes."""
    tensors, options = layer_call(layer_of("r256", index), channels=2)
    options["padding"] = tuple(p + by for p in options["padding"])
    with use("reference"):
        expected = filtered_lrelu(*tensors, **options)
    with use("native"):
        assert_close(filtered_lrelu(*tensors, **options), expected)


sizes = st.integers(1, 40)
factors = st.integers(1, 4)
pads = st.integers(-5, 9)


@st.composite
def filters(draw):
    taps = draw(st.integers(1, 13))
    kind = draw(st.sampled_from(["none", "1-D", "symmetric", "2-D", "rank 2"]))
    seed = draw(st.integers(0, 2**20))
    generator = torch.Generator().manual_seed(seed)
    if kind == "none":
        return None
    if kind == "1-D":
        return torch.randn(taps, generator=generator)
    if kind == "2-D":
        return torch.randn(taps, draw(st.integers(1, 9)), generator=generator)
    column, row = torch.randn(2, taps, generator=generator), torch.randn(2, taps, generator=generator)
    if kind == "symmetric":
        half = torch.randn(6, generator=generator)
        return torch.cat([half, half.flip(0)])
    return column.T @ row


@st.composite
def images(draw):
    n, c = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    return torch.randn(n, c, draw(sizes), draw(sizes), generator=torch.Generator().manual_seed(draw(st.integers(0, 2**20))))


def fits(size: tuple[int, int]) -> bool:
    return min(size) >= 1


@settings(max_examples=150)
@given(
    x=images(),
    f=filters(),
    up=st.tuples(factors, factors),
    down=st.tuples(factors, factors),
    padding=st.tuples(pads, pads, pads, pads),
    flip=st.booleans(),
    level=st.sampled_from(LEVELS),
)
def test_upfirdn2d_agrees_with_the_reference(x, f, up, down, padding, flip, level):
    taps = (1, 1) if f is None else (f.shape[-1], f.shape[0])
    width, height = x.shape[3] * up[0] + padding[0] + padding[1], x.shape[2] * up[1] + padding[2] + padding[3]
    assume(fits((width - taps[0] + 1, height - taps[1] + 1)))
    options = {"up": up, "down": down, "padding": padding, "flip_filter": flip, "gain": 1.7}
    native_library.limit_level(level)
    try:
        with use("native" if f is not None else None):
            actual = upfirdn2d(x, f, **options)
    finally:
        native_library.limit_level(1000)
    with use("reference"):
        assert_close(actual, upfirdn2d(x, f, **options))


@settings(max_examples=150)
@given(
    x=images(),
    fu=filters(),
    fd=filters(),
    up=st.tuples(factors, factors),
    down=st.tuples(factors, factors),
    padding=st.tuples(*(st.integers(-5, 20) for _ in range(4))),
    flip=st.booleans(),
    clamp=st.sampled_from([None, 0.0, 0.7, 256.0]),
    slope=st.sampled_from([0.0, 0.2, 1.0]),
    rows=st.sampled_from([0, 1, 3, 8, 1000]),
    level=st.sampled_from(LEVELS),
)
def test_filtered_lrelu_agrees_with_the_reference(x, fu, fd, up, down, padding, flip, clamp, slope, rows, level):
    taps = [(1, 1) if f is None else (f.shape[-1], f.shape[0]) for f in (fu, fd)]
    middle = [x.shape[3 - i] * up[i] + padding[2 * i] + padding[2 * i + 1] - taps[0][i] + 1 for i in (0, 1)]
    assume(fits(tuple(middle)) and fits((middle[0] - taps[1][0] + 1, middle[1] - taps[1][1] + 1)))
    options = {"up": up, "down": down, "padding": padding, "clamp": clamp, "slope": slope, "flip_filter": flip}
    b = torch.linspace(-1, 1, x.shape[1])
    native_library.limit_level(level)
    try:
        with use("native"), chunks_of(rows):
            actual = filtered_lrelu(x, fu, fd, b, **options)
    finally:
        native_library.limit_level(1000)
    with use("reference"):
        expected = filtered_lrelu(x.double(), fu, fd, b, **options)
    peak = max(expected.abs().max().item(), 0.05)  # random filters cancel: the error is of the terms, not of their sum
    assert (actual - expected).abs().max().item() <= 3 * TOLERANCE * peak * max(1.0, sum_of_taps(fu) * sum_of_taps(fd))


def sum_of_taps(f: torch.Tensor | None) -> float:
    return 1.0 if f is None else f.abs().sum().item() ** (2 if f.ndim == 1 else 1)


class chunks_of:
    """Makes the kernel work in chunks of this many output rows, which must not change the result."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __enter__(self) -> None:
        self.entries = native._entries
        resample, direct = self.entries()

        def with_rows(reference):
            reference._obj.rows = self.rows
            return resample(reference)

        native._entries = lambda: (with_rows, direct)

    def __exit__(self, *_) -> None:
        native._entries = self.entries


def layer_of(name: str, index: int) -> dict:
    return json.loads((GOLDEN / "layer_specs.json").read_text())[name]["layers"][index]


@pytest.mark.parametrize("name, index", [("t256", 3), ("r256", 9), ("r256", 10)], ids=["4 up", "2 up, radial", "4 up, radial"])
def test_threads_bands_and_chunks_change_no_bit(name, index, level):
    tensors, options = layer_call(layer_of(name, index), channels=2)
    results, before = [], torch.get_num_threads()
    try:
        for count, rows in ((1, 0), (2, 0), (3, 0), (5, 8), (1, 17)):
            torch.set_num_threads(count)
            with use("native"), chunks_of(rows):
                results.append(filtered_lrelu(*tensors, **options))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert torch.equal(results[0], other)


@pytest.mark.parametrize("layer", [("t256", 0), ("r256", 1)], ids=["separable", "radial"])
@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[:, ::2],
        lambda x: x[:, :, 1::2],
        lambda x: x[..., 3:-2],
        lambda x: x[..., ::2],
        lambda x: x.transpose(2, 3),
        lambda x: x[:, :1].expand(-1, 4, -1, -1),
        lambda x: x.to(memory_format=torch.channels_last),
    ],
    ids=["channels", "rows", "cropped", "columns", "transposed", "expanded", "channels last"],
)
def test_strides_are_followed(view, layer, level):
    (x, fu, fd, _), options = layer_call(layer_of(*layer), channels=8)
    x = view(x)
    with use("native"):
        assert torch.equal(filtered_lrelu(x, fu, fd, None, **options), filtered_lrelu(x.contiguous(), fu, fd, None, **options))
        assert torch.equal(upfirdn2d(x, fu, up=2, padding=5), upfirdn2d(x.contiguous(), fu, up=2, padding=5))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bits_are_computed_in_thirty_two_and_rounded_once(dtype, level):
    (x, fu, fd, b), options = layer_call(layer_of("r256", 1), channels=2)
    x, b = x.to(dtype), b.to(dtype)
    with use("native"):
        y = filtered_lrelu(x, fu, fd, b, **options)
        assert torch.equal(y, filtered_lrelu(x.float(), fu, fd, b.float(), **options).to(dtype))


@pytest.mark.parametrize("layer", [("t256", 0), ("r256", 1), ("r256", 3)], ids=["2 up", "2 up, radial", "4 up, radial"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_stays_visible(value, layer, level):
    (x, fu, fd, b), options = layer_call(layer_of(*layer), channels=1)
    x[0, 0, 20, 17] = value
    with use("native"):
        actual = filtered_lrelu(x, fu, fd, b, **options)
    with use("reference"):
        expected = filtered_lrelu(x, fu, fd, b, **options)
    assert torch.equal(actual.isnan(), expected.isnan())
    assert_close(actual.nan_to_num(), expected.nan_to_num())


@pytest.mark.parametrize("index", [0, 3], ids=["2 up", "4 up"])
def test_infinities_that_no_clamp_removes_are_not_made_into_nan(index, level):
    """Adding and subtracting neighbours, which saves products, would turn them into inf - inf."""
    (x, fu, fd, b), options = layer_call(layer_of("t256", index), channels=1)
    x[0, 0, 20, 17] = float("inf")
    fu, fd = fu.abs(), fd.abs()  # or the filters themselves give inf - inf
    with use("native"):
        actual = filtered_lrelu(x, fu, fd, b, **options | {"clamp": None})
    with use("reference"):
        expected = filtered_lrelu(x, fu, fd, b, **options | {"clamp": None})
    assert actual.isinf().any()
    assert torch.equal(actual.isnan(), expected.isnan())
    assert torch.equal(actual.isinf(), expected.isinf())


def test_scales_of_input_and_output(level):
    (x, fu, fd, b), options = layer_call(layer_of("r256", 5), channels=3)
    x = torch.cat([x, x.flip(3)])
    scale_in, scale_out = torch.rand(2, 3) + 0.5, torch.rand(2, 3) - 0.5
    full = FilteredLreluOptions((options["up"],) * 2, (options["down"],) * 2, options["padding"], 2**0.5, 0.2, options["clamp"], False)
    actual = native.filtered_lrelu_native(x, fu, fd, b, full, in_scale=scale_in, out_scale=scale_out)
    with use("reference"):
        expected = filtered_lrelu(x * scale_in[:, :, None, None], fu, fd, b, **options) * scale_out[:, :, None, None]
    assert_close(actual, expected)


def test_scales_with_filters_of_high_rank():
    x, f = torch.randn(2, 3, 12, 13), torch.randn(9, 9)
    scale_in, scale_out, b = torch.rand(2, 3) + 0.5, torch.rand(2, 3) + 0.5, torch.randn(3)
    full = FilteredLreluOptions((2, 2), (2, 2), (12, 12, 12, 12), 1.3, 0.1, 0.5, False)
    actual = native.filtered_lrelu_native(x, f, f, b, full, in_scale=scale_in, out_scale=scale_out)
    with use("reference"):
        expected = (
            filtered_lrelu(x * scale_in[:, :, None, None], f, f, b, up=2, down=2, padding=12, gain=1.3, slope=0.1, clamp=0.5)
            * scale_out[:, :, None, None]
        )
    assert_close(actual, expected)


def radial_filters() -> list:
    names = {layer["down_filter"] for name in ("r256", "r512", "r1024") for layer in _layers_of(name) if layer["down_radial"]}
    return sorted(names)


def _layers_of(name: str) -> list:
    return json.loads((GOLDEN / "layer_specs.json").read_text())[name]["layers"]


@pytest.mark.parametrize("name", radial_filters())
def test_radial_filters_are_short_sums_of_separable_ones(name):
    with np.load(GOLDEN / "filters.npz") as stored:
        f = stored[name]
    parts = native.decompose(f)
    assert parts.rank <= 4
    sum_of_parts = np.einsum("ki,kj->ij", parts.y.astype(np.float64), parts.x.astype(np.float64))
    assert np.abs(sum_of_parts - f).max() <= 1e-6 * np.abs(f).max()
    assert np.array_equal(parts.x, parts.x[:, ::-1])
    assert np.array_equal(parts.y, parts.y[:, ::-1])
    fewer = np.einsum("ki,kj->ij", parts.y[:-1].astype(np.float64), parts.x[:-1].astype(np.float64))
    assert np.abs(fewer - f).max() > 1e-6 * np.abs(f).max()


@pytest.mark.parametrize("name", radial_filters())
def test_pivoted_terms_are_the_same_filter_with_fewer_products(name):
    with np.load(GOLDEN / "filters.npz") as stored:
        f = stored[name]
    parts = native.pivoted(native.decompose(f))
    sum_of_parts = np.einsum("ki,kj->ij", parts.y.astype(np.float64), parts.x.astype(np.float64))
    assert np.abs(sum_of_parts - f).max() <= 1e-6 * np.abs(f).max()
    assert np.array_equal(parts.y[:, native.PIVOTS[parts.rank]], np.eye(parts.rank))
    assert np.abs(parts.y).max() == 1
    assert np.array_equal(parts.x, parts.x[:, ::-1])
    assert np.array_equal(parts.y, parts.y[:, ::-1])


def test_terms_without_pivots_stay_as_they_are():
    for f in (np.random.default_rng(0).normal(size=(12, 12)), np.outer(np.arange(12.0), np.ones(12)), np.ones((8, 8))):
        terms = native.decompose(f)
        assert native.pivoted(terms) is terms
    rest = np.array([1.0, 2, 3, 4, 5, 0])  # nothing at the pivot
    terms = native.decompose(np.outer(np.concatenate([rest, rest[::-1]]), np.ones(12)))
    assert native.pivoted(terms) is terms


@pytest.mark.parametrize("index", [1, 5], ids=["2 up", "4 up"])
@pytest.mark.parametrize("value", [1e4, 1e32, float("inf"), float("nan")])
def test_one_large_sample_changes_no_bit_far_from_it(index, value, level):
    """Where all samples are small, the clamp is left out; where none is huge, rows rise by sums and differences."""
    (x, fu, fd, b), options = layer_call(layer_of("r256", index), channels=2)
    large, before = x.clone(), torch.get_num_threads()
    large[:, :, -6, 17] = value
    results = []
    try:
        with use("native"):
            small = filtered_lrelu(x, fu, fd, b, **options | {"clamp": 256.0})
            for threads in (1, 3):
                torch.set_num_threads(threads)
                results.append(filtered_lrelu(large, fu, fd, b, **options | {"clamp": 256.0}))
    finally:
        torch.set_num_threads(before)
    with use("reference"):
        expected = filtered_lrelu(large, fu, fd, b, **options | {"clamp": 256.0})
    assert torch.equal(results[0].nan_to_num(), results[1].nan_to_num())
    assert torch.equal(results[0].isnan(), expected.isnan())
    assert_close(results[0].nan_to_num(), expected.nan_to_num())
    far = small.shape[2] * 2 // 3
    assert torch.equal(results[0][:, :, :far], small[:, :, :far])
    assert not torch.equal(results[0], small)


@pytest.mark.parametrize(
    "options", [{"slope": 1.5}, {"slope": -0.1}, {"gain": -1.0}, {"gain": 0.0}, {"up": 17}], ids=lambda o: "-".join(map(str, *o.items()))
)
def test_calls_that_are_refused_reach_the_reference(options):
    x = torch.randn(1, 2, 9, 9)
    with use("reference"):
        expected = filtered_lrelu(x, None, None, None, **options)
    assert torch.equal(filtered_lrelu(x, None, None, None, **options), expected)


def test_steps_over_more_rows_than_a_chunk_has():
    """They ended the process: a chunk of no rows."""
    x, f = torch.randn(1, 2, 600, 20), torch.ones(3) / 3
    for down in ((1, 240), (1, 241), (241, 300)):
        with use("reference"):
            expected = upfirdn2d(x, f, down=down, padding=242), filtered_lrelu(x, f, f, up=2, down=down, padding=242)
        with use("native"):
            assert_close(upfirdn2d(x, f, down=down, padding=242), expected[0])
        assert_close(filtered_lrelu(x, f, f, up=2, down=down, padding=242), expected[1])


def test_doubles_and_gradients_are_the_references():
    x = torch.randn(1, 2, 9, 9)
    f = torch.rand(4, dtype=torch.float64)
    assert upfirdn2d(x.double(), f.float(), up=2, padding=2).dtype == torch.float64
    for call in (
        lambda: upfirdn2d(x.double(), f, up=2, padding=2),
        lambda: upfirdn2d(x, f, up=2, padding=2),
        lambda: filtered_lrelu(x, f, f, torch.rand(2), up=2, down=2, padding=3),
        lambda: filtered_lrelu(x, f.float(), f.float(), torch.rand(2, generator=torch.Generator().manual_seed(0)).double()),
        lambda: upfirdn2d(x[:0], f.float(), up=2, padding=2),
    ):
        before = {id(d): d.count for d in decisions()}
        found = call()
        assert {d.backend.name for d in decisions() if d.count > before.get(id(d), 0)} == {"reference"}
        with use("reference"):
            assert found.shape == call().shape
    y = upfirdn2d(x.requires_grad_(), f, up=2, padding=2)
    y.sum().backward()
    assert x.grad is not None


def test_a_changed_filter_is_seen():
    """Decompositions are remembered by a filter's taps, not by the tensor that holds them."""
    x, f = torch.randn(1, 1, 8, 8), torch.ones(2)
    with use("native"):
        first = upfirdn2d(x, f, padding=1)
        f *= 2
        assert_close(upfirdn2d(x, f, padding=1), 4 * first)


def test_large_2d_filters_are_exact():
    """The warp's anti-aliasing filter: 48 x 48 taps, four times up."""
    x = torch.randn(1, 3, 20, 25)
    f = torch.randn(48, 48)
    with use("native"):
        actual = upfirdn2d(x, f, up=4, padding=(25, 22, 25, 22), gain=16)
    with use("reference"):
        assert_close(actual, upfirdn2d(x, f, up=4, padding=(25, 22, 25, 22), gain=16))


@pytest.mark.parametrize(
    ("channels", "width", "taps", "alone"),
    [(7, 33, 21, True), (8, 33, 21, False), (8, 33, 12, True), (8, 64, 21, True)],
)
def test_many_channels_of_narrow_images_with_a_large_2d_filter_are_left_to_torch(channels, width, taps, alone):
    """Which convolves them faster; the reason says so, and whoever forces the kernels gets them."""
    x, f = torch.randn(1, channels, 9, width), torch.randn(taps, taps)
    actual = upfirdn2d(x, f, padding=taps // 2)
    taken = next(
        d.backend for d in decisions() if d.call.op == "upfirdn2d" and d.call.x.shape == x.shape and d.call.tensors[1].shape == f.shape
    )
    assert taken.name == ("native" if alone else "reference"), taken
    assert alone or "441 taps a sample are faster across 8 channels" in taken.why
    with use("native"):
        assert_close(upfirdn2d(x, f, padding=taps // 2), actual)


def test_without_filters_nothing_is_forced_on_the_kernels():
    x, b = torch.randn(1, 3, 9, 11), torch.randn(3)
    filtered_lrelu(x, None, None, b, padding=1)
    assert "native: without filters" in next(
        d.backend.why for d in decisions() if d.call.op == "filtered_lrelu" and d.call.x.shape == x.shape
    )


@pytest.mark.parametrize(("channels", "size", "chosen"), [(32, 9, "reference"), (16, 9, "native"), (32, 17, "native")])
def test_many_channels_of_tiny_images_with_a_large_2d_fall_are_left_to_torch(channels, size, chosen):
    x, fu, fd = torch.randn(1, channels, size, size), torch.randn(24), torch.randn(12, 12)
    actual = filtered_lrelu(x, fu, fd, up=4, down=2, padding=18)
    decision = next(d for d in decisions() if d.call.op == "filtered_lrelu" and d.call.x.shape == x.shape and d.call.tensors[3] is None)
    assert decision.backend.name == chosen
    with use("native"):
        assert_close(filtered_lrelu(x, fu, fd, up=4, down=2, padding=18), actual)


@pytest.mark.parametrize("padding", [0, (3, 2, 0, 4), (-2, 5, 1, -1)])
def test_a_full_2d_fall_alone(padding, level):
    """What is padded stays 0 through the activation, so that the second filter may do it."""
    x, fd, b = torch.randn(2, 5, 21, 24), torch.randn(9, 9), torch.randn(5)
    options = {"down": 2, "padding": padding, "clamp": 0.7, "gain": 1.3}
    with use("native"):
        actual = filtered_lrelu(x, None, fd, b, **options)
    with use("reference"):
        assert_close(actual, filtered_lrelu(x, None, fd, b, **options))


def test_openmp_is_torchs_own():
    maps = Path("/proc/self/maps")
    if not maps.exists() or not native_library.library().af_has_openmp():
        pytest.skip("no OpenMP, or no way to see")
    runtimes = {line.split()[-1] for line in maps.read_text().splitlines() if "libgomp" in line or "libomp" in line or "libiomp" in line}
    assert len({Path(path).resolve() for path in runtimes}) == 1, runtimes

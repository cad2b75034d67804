"""The native convolutions against float64, on every instruction set that this machine has."""

import gc
import threading

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings, strategies as st

from torch_utils import native_build, native_library
from torch_utils.ops import BackendError, conv_choice, decisions, modulated_conv2d, native_conv, use
from torch_utils.ops.native_conv import ConvShape, choose, conv2d, memory, pack, release, scratch, weights

try:
    native_library.library()
except native_build.NativeUnavailable as reason:
    pytest.skip(f"no native library: {reason}", allow_module_level=True)

BOUND = {"winograd": 2e-5, "strassen": 1e-5, "strassen2": 2e-5, "gemm": 4e-6, "bf16": 1e-2}  # of the largest output
TOP = len(native_library.LEVELS) - 1


@pytest.fixture(autouse=True)
def settings_of_torch(monkeypatch):
    """Small problems use threads too, and what a test sets is set back."""
    monkeypatch.setattr(conv_choice, "MACS_PER_THREAD", 1)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
    native_library.limit_level(TOP)


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def define(x, weight, padding, in_scale=None, out_scale=None, bias=None):
    x, weight = x.double(), weight.double()
    if in_scale is not None:
        x = x * in_scale.double()[:, :, None, None]
    y = F.conv2d(x, weight, padding=padding)
    if out_scale is not None:
        y = y * out_scale.double()[:, :, None, None]
    return y if bias is None else y + bias.double()[:, None, None]


def error(y, expected):
    assert y.shape == expected.shape
    return ((y.double() - expected).abs().max() / expected.abs().max()).item()


@st.composite
def problems(draw):
    kernel, padding = draw(st.sampled_from([1, 3])), draw(st.integers(0, 2))
    least = max(1, kernel - 2 * padding)
    height, width = draw(st.integers(least, 23)), draw(st.integers(least, 75))
    ins, outs = draw(st.integers(1, 37)), draw(st.integers(1, 70))
    taking = {3: ["winograd"], 1: ["strassen", "strassen2"] if padding == 0 else []}
    algorithm = draw(st.sampled_from([*taking[kernel], "gemm", "bf16"]))
    level = TOP if algorithm == "bf16" else draw(st.integers(0, TOP))
    extras = [draw(st.booleans()) for _ in range(3)]
    return (draw(st.sampled_from([1, 1, 3])), ins, outs, height, width, kernel, padding), algorithm, level, extras, draw(st.integers(1, 3))


@given(problems(), st.integers(0, 2**31))
@settings(max_examples=150)
def test_equals_the_definition(problem, seed):
    (batch, ins, outs, height, width, kernel, padding), algorithm, level, extras, threads = problem
    native_library.limit_level(level)
    if algorithm == "bf16" and not native_conv.has_bf16():
        algorithm = "gemm"
    torch.set_num_threads(threads)
    x, weight = normal(seed, batch, ins, height, width), normal(seed + 1, outs, ins, kernel, kernel)
    shapes = ((batch, ins), (batch, outs), (outs,))
    vectors = [normal(seed + 2 + i, *shape) if extra else None for i, (shape, extra) in enumerate(zip(shapes, extras, strict=True))]
    y = conv2d(*(x, weight), padding=padding, in_scale=vectors[0], out_scale=vectors[1], bias=vectors[2], algorithm=algorithm)
    bound = BOUND[algorithm]
    if algorithm == "bf16":  # exact but for its inputs; a single output may well be smaller than their rounding
        scaled = x if vectors[0] is None else x * vectors[0][:, :, None, None]
        x, weight, vectors[0], bound = scaled.bfloat16(), weight.bfloat16(), None, BOUND["gemm"]
    expected = define(x, weight, padding, *vectors)
    assert (y - expected).abs().max() <= bound * max(1.0, expected.abs().max().item())


@pytest.mark.parametrize("algorithm", ["winograd", "gemm", "bf16"])
def test_bound_holds_for_a_deep_layer(algorithm):
    """512 channels, as in the networks: rounding adds up over the sum."""
    if algorithm == "bf16" and not native_conv.has_bf16():
        pytest.skip("this processor does not multiply bfloat16")
    x, weight = normal(0, 1, 512, 36, 36), normal(1, 96, 512, 3, 3)
    assert error(conv2d(x, weight, padding=2, algorithm=algorithm), define(x, weight, 2)) < BOUND[algorithm]


@pytest.mark.parametrize("algorithm", ["strassen", "strassen2"])
@pytest.mark.parametrize("level", range(TOP + 1))
def test_bound_holds_for_the_deepest_1x1_layer(level, algorithm):
    """1024 channels, all pixels in blocks and some left over; what Strassen adds to and takes from the products must cancel."""
    native_library.limit_level(level)
    x, weight = normal(0, 1, 1023, 36, 37), normal(1, 362, 1023, 1, 1)
    scales = (1 + normal(2, 1, 1023), 1 + normal(3, 1, 362), normal(4, 362))
    y = conv2d(x, weight, in_scale=scales[0], out_scale=scales[1], bias=scales[2], algorithm=algorithm)
    assert error(y, define(x, weight, 0, *scales)) < BOUND[algorithm]


@pytest.mark.parametrize("algorithm", ["strassen", "strassen2"])
def test_strassen_is_what_it_says(algorithm):
    """A channel without weights is a sum of products that cancel, but for rounding; plain products give zeros."""
    x, weight = normal(0, 1, 64, 16, 24), normal(1, 64, 64, 1, 1)
    weight[0] = 0
    assert torch.equal(conv2d(x, weight, algorithm="gemm")[0, 0], torch.zeros(16, 24))
    y = conv2d(x, weight, algorithm=algorithm)
    assert y[0, 0].count_nonzero() > 16 and error(y, define(x, weight, 0)) < BOUND[algorithm]


@pytest.mark.parametrize(("algorithm", "kernel"), [("winograd", 3), ("gemm", 3), ("strassen", 1), ("strassen2", 1)])
@pytest.mark.parametrize("shape", [(2, 50, 9, 9), (2, 50, 61, 61), (1, 301, 36, 36), (3, 31, 20, 17)])
def test_threads_change_no_bit(algorithm, kernel, shape):
    """Few blocks are shared among threads, many are dealt out: neither may change the order of a sum, nor what Strassen takes."""
    x, weight = normal(0, *shape), normal(1, 150, shape[1], kernel, kernel)
    results = []
    for threads in (1, 2, 3, 5, 16):
        torch.set_num_threads(threads)
        results.append(conv2d(x, weight, padding=kernel // 2, algorithm=algorithm))
    assert all(torch.equal(result, results[0]) for result in results)
    assert error(results[0], define(x, weight, kernel // 2)) < BOUND[algorithm]


@pytest.mark.parametrize(
    ("algorithm", "kernel"), [("winograd", 3), ("gemm", 3), ("gemm", 1), ("strassen", 1), ("strassen2", 1), ("bf16", 1)]
)
def test_working_memory_is_not_read_before_it_is_written(algorithm, kernel):
    if algorithm == "bf16" and not native_conv.has_bf16():
        pytest.skip("this processor does not multiply bfloat16")
    x, weight = normal(0, 1, 19, 30, 31), normal(1, 21, 19, kernel, kernel)
    first = conv2d(x, weight, padding=kernel - 1, algorithm=algorithm)
    assert first.isfinite().all()
    with torch.inference_mode():  # in which some of it may have been made
        for piece in scratch._free:
            piece.fill_(float("nan"))
    assert torch.equal(conv2d(x, weight, padding=kernel - 1, algorithm=algorithm), first)


def test_calls_from_several_threads_do_not_meet():
    torch.set_num_threads(1)
    images = [normal(seed, 1, 64, 90, 90) for seed in range(4)]
    weight = normal(9, 48, 64, 3, 3)
    alone = [conv2d(x, weight, padding=1) for x in images]
    failures = []

    start = threading.Barrier(len(images))

    def work(index):
        start.wait(timeout=60)
        for _ in range(20):
            if not torch.equal(conv2d(images[index], weight, padding=1), alone[index]):
                failures.append(index)

    workers = [threading.Thread(target=work, args=(index,)) for index in range(len(images))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
        assert not worker.is_alive()
    assert failures == []


def test_borrowed_memory_is_never_lent_twice():
    with scratch.borrow(1000) as first, scratch.borrow(1000) as second:
        assert abs(first - second) >= 1000
        assert first % 64 == 0 and second % 64 == 0
    with scratch.borrow(1000) as again:
        assert again in (first, second)


def test_empty_batch():
    assert conv2d(torch.empty(0, 4, 8, 8), normal(0, 5, 4, 3, 3), padding=1).shape == (0, 5, 8, 8)


def test_writes_into_out():
    x, weight = normal(0, 2, 8, 12, 12), normal(1, 9, 8, 3, 3)
    arena = torch.full((2 * 9 * 14 * 14 + 2,), 7.0)
    out = arena[1:-1].view(2, 9, 14, 14)
    assert conv2d(x, weight, padding=2, out=out) is out
    assert torch.equal(out, conv2d(x, weight, padding=2))
    assert arena[0] == 7 and arena[-1] == 7


def test_strided_and_half_inputs():
    x, weight = normal(0, 2, 12, 30, 20), normal(1, 9, 12, 3, 3)
    view = x.permute(0, 1, 3, 2)[:, 2:, ::2]
    assert error(conv2d(view, weight[:, 2:], padding=1), define(view, weight[:, 2:], 1)) < 2e-5
    half = x.to(torch.float16)
    assert error(conv2d(half, weight, padding=1), define(half, weight, 1)) < 2e-5


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("weight", {"weight": torch.zeros(4, 5, 3, 3)}),
        ("weight", {"weight": torch.zeros(4, 6, 3, 1)}),
        ("padding", {"padding": -1}),
        ("smaller than the kernel", {"x": torch.zeros(1, 6, 2, 9)}),
        ("in_scale", {"in_scale": torch.ones(1, 5)}),
        ("out_scale", {"out_scale": torch.ones(4)}),
        ("bias", {"bias": torch.ones(6)}),
        ("out", {"out": torch.empty(1, 4, 9, 9)}),
        ("algorithm", {"algorithm": "fft"}),
        ("winograd", {"weight": torch.zeros(4, 6, 1, 1), "algorithm": "winograd"}),
        ("strassen takes 1x1", {"algorithm": "strassen"}),
        ("strassen takes padding 0", {"weight": torch.zeros(4, 6, 1, 1), "padding": 1, "algorithm": "strassen"}),
    ],
)
def test_refuses_by_name(name, arguments):
    call = {"x": torch.zeros(1, 6, 9, 9), "weight": torch.zeros(4, 6, 3, 3)} | arguments
    with pytest.raises(ValueError, match=name):
        conv2d(**call)


def test_packed_weights_follow_their_tensor():
    release()
    weight, x = normal(0, 16, 8, 3, 3), normal(1, 1, 8, 20, 20)
    conv2d(x, weight, algorithm="winograd")
    packed = weights.packed(weight, "winograd")
    assert packed.nbytes == 16 * 8 * 36 * 4 and memory()["packed weights"] == packed.nbytes
    assert weights.packed(weight, "winograd") is packed
    weight.mul_(2)
    assert error(conv2d(x, weight, algorithm="winograd"), define(x, weight, 0)) < 2e-5
    assert weights.packed(weight, "winograd") is not packed
    del weight
    gc.collect()
    assert memory()["packed weights"] == 0
    assert memory()["scratch"] > 0
    release()
    assert memory() == {"packed weights": 0, "scratch": 0}


def test_weights_are_packed_anew_for_another_instruction_set():
    weight, x = normal(0, 20, 8, 3, 3), normal(1, 1, 8, 20, 20)
    for level in (TOP, 0, 1):
        native_library.limit_level(level)
        assert error(conv2d(x, weight), define(x, weight, 0)) < 2e-5


def test_inference_tensors_are_not_remembered():
    with torch.inference_mode():
        weight = normal(0, 4, 3, 3, 3)
        x = normal(1, 1, 3, 9, 9)
        first = conv2d(x, weight)
        weight.mul_(2)
        assert error(conv2d(x, weight), 2 * first.double()) < 1e-6


def test_pack_refuses():
    with pytest.raises(ValueError, match="algorithm is 'fft'"):
        pack(torch.zeros(3, 3, 3, 3), "fft")
    with pytest.raises(ValueError, match="O x I x k x k"):
        pack(torch.zeros(3, 3, 3), "gemm")


@pytest.mark.parametrize(
    ("shape", "algorithm"),
    [
        (ConvShape(1, 512, 512, 36, 36, 3, 2), "winograd"),  # a layer of T
        (ConvShape(1, 64, 64, 276, 276, 3, 2), "winograd"),
        (ConvShape(1, 1024, 1024, 36, 36, 1, 0), "strassen2"),  # of R
        (ConvShape(1, 287, 192, 532, 532, 1, 0), "strassen"),  # less deep
        (ConvShape(1, 64, 64, 276, 276, 1, 0), "gemm"),  # a thin one
        (ConvShape(1, 1024, 1024, 8, 8, 1, 0), "gemm"),  # fewer pixels than a block
        (ConvShape(1, 512, 512, 4, 4, 3, 1), "gemm"),  # StyleGAN2's first: one tile, and four times the weights to read
    ],
)
def test_choice_and_its_reason(shape, algorithm):
    choice = choose(shape)
    assert choice.algorithm == algorithm
    assert f"{algorithm} " in choice.why and "Mcycles" in choice.why
    assert (shape, choice) in native_conv.choices()


def test_bf16_pays_for_1x1_only():
    assert choose(ConvShape(1, 1024, 1024, 36, 36, 1, 0), bf16=True).algorithm == "bf16"
    assert choose(ConvShape(1, 512, 512, 84, 84, 3, 2), bf16=True).algorithm == "winograd"


@pytest.mark.parametrize("level", range(TOP + 1))
@pytest.mark.parametrize(("batch", "outs", "ins", "gain"), [(1, 5, 131, None), (3, 2, 64, 0.3), (2, 1, 7, -2.0)])
def test_demodulation_by_one_pass(level, batch, outs, ins, gain):
    """Channels that fill vectors and channels left over, several images, no energy at all."""
    native_library.limit_level(level)
    styles, energy = normal(0, batch, ins), normal(1, outs, ins).square()
    energy[0] = 0
    scales = native_conv._demodulation(styles, energy, None if gain is None else torch.tensor(gain))
    expected = (styles.double().square() @ energy.double().T).clamp_min(native_conv.TINY).rsqrt() * (1.0 if gain is None else gain)
    assert ((scales - expected).abs() <= 1e-6 * expected.abs()).all()


def taken(op="modulated_conv2d"):
    return [d.backend.name for d in decisions() if d.call.op == op][-1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(("kernel", "padding"), [(1, 0), (3, 1), (3, 2)])
@pytest.mark.parametrize("demodulate", [True, False])
def test_modulated_equals_reference(dtype, kernel, padding, demodulate):
    x, weight, styles = normal(0, 3, 13, 18, 21).to(dtype), normal(1, 17, 13, kernel, kernel), normal(2, 3, 13)
    for gain in (None, 0.7, torch.tensor(1.3)):
        y = modulated_conv2d(x, weight, styles, demodulate=demodulate, padding=padding, input_gain=gain)
        assert y.dtype == dtype
        wide = gain.double() if isinstance(gain, torch.Tensor) else gain
        with use("reference"):
            expected = modulated_conv2d(
                *(x.double(), weight.double(), styles.double()), demodulate=demodulate, padding=padding, input_gain=wide
            )
        assert error(y, expected) < max(2e-5, torch.finfo(dtype).eps if dtype != torch.float32 else 0)


def test_dispatch_takes_native_unless_gradients_are_needed():
    x, weight, styles = normal(0, 1, 7, 15, 15), normal(1, 5, 7, 3, 3), normal(2, 1, 7)
    modulated_conv2d(x, weight, styles)
    assert taken() == "native"
    modulated_conv2d(x, weight.requires_grad_(), styles)
    assert taken() == "reference"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda x, weight, styles: ((x.double(), weight.double(), styles.double()), {}), "16- and 32-bit types, not torch.float64"),
        (lambda x, weight, styles: ((x, weight.double(), styles), {}), "weight or styles are float64"),
        (lambda x, weight, styles: ((x, weight, styles.double()), {}), "weight or styles are float64"),
        (
            lambda x, weight, styles: ((x, weight, styles), {"input_gain": torch.ones(1).double()}),
            "input_gain is float64",
        ),
        (lambda x, weight, styles: ((x, weight[..., :1], styles), {}), "square kernels, not 1x3"),
        (lambda x, weight, styles: ((x[:0], weight, styles[:0]), {}), "nothing to compute"),
    ],
)
def test_what_the_kernels_do_not_take_is_the_references_and_says_why(change, why):
    arguments, options = change(normal(0, 2, 7, 15, 15), normal(1, 5, 7, 3, 3), normal(2, 2, 7))
    before = {id(d): d.count for d in decisions()}
    found = modulated_conv2d(*arguments, **options)
    (backend,) = (d.backend for d in decisions() if d.count > before.get(id(d), 0))
    assert backend.name == "reference" and why in backend.why
    with use("reference"):
        assert torch.equal(found, modulated_conv2d(*arguments, **options)) and found.dtype == arguments[0].dtype


def test_bf16_only_where_asked_for():
    x, weight, styles = normal(0, 1, 64, 16, 16), normal(1, 40, 64, 1, 1), normal(2, 1, 64)
    exact = modulated_conv2d(x, weight, styles)
    assert taken() == "native"
    if not native_conv.has_bf16():
        with pytest.raises(BackendError), use("native-bf16", op="modulated_conv2d"):
            modulated_conv2d(x, weight, styles)
        return
    with use("native-bf16", op="modulated_conv2d"):
        rounded = modulated_conv2d(x, weight, styles)
        kept = modulated_conv2d(x, weight, styles, demodulate=False)
    assert 1e-5 < error(rounded, exact.double()) < BOUND["bf16"]
    assert torch.equal(kept, modulated_conv2d(x, weight, styles, demodulate=False))  # ToRGB and the Fourier input's mixing


def test_a_weight_made_in_inference_mode_is_taken_and_not_remembered():
    """Torch counts no versions of such a tensor: what is derived from it must follow a change in place."""
    with torch.inference_mode():
        weight, x, styles = torch.randn(8, 6, 1, 1), torch.randn(1, 6, 9, 9), torch.randn(1, 6)
        for _ in range(2):
            with use("reference"):
                expected = modulated_conv2d(x, weight, styles)
            assert torch.allclose(modulated_conv2d(x, weight, styles), expected, rtol=1e-5, atol=1e-5)
            weight[0] *= 3.0
            weight[:, 1] -= 1.0

"""What the tests of the CUDA kernels share: their operators without the dispatch, the references, and calls drawn at random."""

import inspect
import sys

import torch
from hypothesis import assume, strategies as st

from tests.torch_utils.test_native import filters, fits, images
from torch_utils.ops import bias_act, filtered_lrelu, upfirdn2d, use
from torch_utils.ops.checks import hashable
from torch_utils.ops.cuda import bias_act_cuda, filtered_lrelu_cuda, upfirdn2d_cuda

KERNELS = {"filtered_lrelu": filtered_lrelu_cuda, "upfirdn2d": upfirdn2d_cuda, "bias_act": bias_act_cuda}
OPERATORS = {"filtered_lrelu": filtered_lrelu, "upfirdn2d": upfirdn2d, "bias_act": bias_act}
PREFIXES = {"filtered_lrelu": ("flrelu", "x fu fd b"), "upfirdn2d": ("upfirdn", "x f"), "bias_act": ("bias_act", "x b")}
ORDERS = (0, 1, 101)  # of blocks and threads: forwards, backwards, scattered


def compute(op: str, *tensors: torch.Tensor | None, **options: object) -> torch.Tensor:
    """The CUDA operator with the public operator's arguments, whatever the device."""
    parameters = inspect.signature(OPERATORS[op]).parameters.values()
    given = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY} | options
    checked = sys.modules[f"torch_utils.ops.{op}"]._options(**{k: hashable(v) for k, v in given.items()})
    missing = [None] * (len(PREFIXES[op][1].split()) - len(tensors))
    return KERNELS[op](*tensors, *missing, checked)


def reference(op: str, *tensors: torch.Tensor | None, **options: object) -> torch.Tensor:
    with use("reference"):
        return OPERATORS[op](*tensors, **options)


def assert_close(actual: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-5) -> None:
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    scale = max(expected.abs().max().item(), 1e-30)
    assert (actual.double() - expected.double()).abs().max().item() <= tolerance * scale


factors = st.integers(1, 4)


@st.composite
def filtered_calls(draw):
    x, fu, fd = draw(images()), draw(filters()), draw(filters())
    up, down = draw(st.tuples(factors, factors)), draw(st.tuples(factors, factors))
    padding = draw(st.tuples(*[st.integers(-5, 20)] * 4))
    taps = [(1, 1) if f is None else (f.shape[-1], f.shape[0]) for f in (fu, fd)]
    middle = tuple(x.shape[3 - a] * up[a] + padding[2 * a] + padding[2 * a + 1] - taps[0][a] + 1 for a in (0, 1))
    assume(fits(middle) and fits((middle[0] - taps[1][0] + 1, middle[1] - taps[1][1] + 1)))
    options = {"up": up, "down": down, "padding": padding, "flip_filter": draw(st.booleans())}
    options |= {"clamp": draw(st.sampled_from([None, 0.0, 0.7, 256.0])), "slope": draw(st.sampled_from([-0.3, 0.0, 0.2, 1.0, 1.5]))}
    options["gain"] = draw(st.sampled_from([2**0.5, -1.3]))
    return (x, fu, fd, torch.linspace(-1, 1, x.shape[1])), options

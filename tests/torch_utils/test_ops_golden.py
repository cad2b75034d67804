"""The operators against arrays of the published implementation, within 1e-5 of each array's largest magnitude."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from torch_utils.ops import bias_act, filtered_lrelu, upfirdn2d, use

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "ops.json").read_text())
OPERATORS = {
    "upfirdn2d": ("upfirdn", upfirdn2d, "f"),
    "filtered_lrelu": ("flrelu", filtered_lrelu, "fu fd b"),
    "bias_act": ("bias_act", bias_act, "b"),
}


@pytest.fixture(scope="module")
def arrays():
    with np.load(GOLDEN / "ops.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['op']}-{case['case']}")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_golden(arrays, case, dtype):
    prefix, operator, names = OPERATORS[case["op"]]
    stem = f"{prefix}_{case['case']}_"
    x = arrays[stem + "x"].to(dtype)
    others = [arrays.get(stem + name) for name in names.split()]
    with use("reference"):
        y = operator(x, *others, **{k: v for k, v in case.items() if k not in ("op", "case")})
    expected = arrays[stem + "y"]
    assert y.dtype == dtype
    assert y.shape == expected.shape
    assert (y - expected).abs().max() <= 1e-5 * expected.abs().max()

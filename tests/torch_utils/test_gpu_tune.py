"""The search for a GPU's division of work: on the emulator every candidate's picture is right, and what it prints is the best."""

import json
import math

import pytest
import torch

from tests.bench import gpu_tune
from tests.bench.filtered_lrelu import layer_cases
from tests.bench.gpu_clock import Deadline
from tests.torch_utils.cuda_emulator import emulated
from torch_utils.native_build import NativeUnavailable, find_toolchain
from torch_utils.ops import cuda_banded
from torch_utils.ops.cuda_banded import DIVISION

CASES = {config: layer_cases(config, divide_channels=512) for config in ("t256", "r256")}


@torch.no_grad()
def test_candidates_are_right_and_the_best_is_told(capsys, monkeypatch):
    """Two layers (up 2 and rank 1; up 4 and a radial filter), groups of 3, 6 and those of now; what is out of time is left out, aloud."""
    try:
        find_toolchain()
    except NativeUnavailable as error:
        pytest.skip(f"the emulator needs a C++ compiler: {error}")
    small = [CASES["t256"][0], CASES["r256"][2], CASES["t256"][0]]
    with emulated(tensor_cores=True) as emulator:
        found = gpu_tune.tune(small, (3, 6), Deadline(5), "cpu")
    assert {dict(kernel.defines)["GROUPS"] for kernel, *_ in emulator.launches} >= {3, 6}
    assert [row["layer"] for row in found["layers"]] == [case.name for case in small[:2]]  # once each
    assert all(row["ms"] <= row["now_ms"] and row["candidates"] >= 3 for row in found["layers"])
    assert found["each_its_own_ms"] <= found["ms"] <= found["now_ms"]
    out = capsys.readouterr()
    assert "wrong_by" not in out.err and out.err.count('"layer"') == 2
    json.dumps(found)
    with pytest.raises(SystemExit, match="time was too short"):
        gpu_tune.tune(small, (4,), Deadline(0), "cpu")
    monkeypatch.setattr(gpu_tune, "TOLERANCE", 0.0)
    with emulated(tensor_cores=True), pytest.raises(SystemExit, match="nothing is tuned by wrong pictures"):
        gpu_tune.tune(small[:1], (3,), Deadline(5), "cpu")
    assert '"wrong_by"' in capsys.readouterr().err


def test_the_verdict_is_the_least_sum():
    """Times made up so that more tasks of fewer rows are best with five groups, whatever each layer would like."""
    layers = []
    for case in (CASES["t256"][9], CASES["r256"][9]):
        options = gpu_tune.FilteredLreluOptions((case.up, case.up), (case.down, case.down), case.padding, 2**0.5, 0.2, 256.0, False)
        plan = gpu_tune.filtered_lrelu_plan(case.x, case.fu, case.fd, options)
        forms = gpu_tune.candidates(plan, 8, (4, 5))
        times = {form: abs(form[0] - 5) + abs(form[1] - 40) / 100 for form in forms}
        current = gpu_tune.divided(cuda_banded.banded(plan, 2**0.5), 8)
        layers.append((gpu_tune.Layer(case.name, times, current, 0.5, 0.25), plan, 8))
    found = gpu_tune.verdict(layers, (4, 5))
    assert found["division"]["groups"] in ((5,), list(DIVISION.groups), DIVISION.groups)
    assert found["division"]["fewest_rows"] == 32 and found["ms"] < found["now_ms"]
    assert math.isclose(found["ms"], sum(layer.times_ms[layer.best] for layer, *_ in layers), abs_tol=1e-3)
    assert found["layers"][0]["times_the_floor"] == round(layers[0][0].times_ms[layers[0][0].best] / 0.5, 2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so(capsys):
    assert gpu_tune.main([]) == 2
    assert capsys.readouterr().err.startswith("no GPU: ")

"""A GPU that is not there: tensors on the meta device, which have no values, stand for its own, and recording forbids what CUDA forbids.

Everything but the kernels themselves runs as on a GPU, gradients and the operators' CUDA backends included: so what would be copied between
host and device while a graph is recorded, or asked for by value, is found without one.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from networks.train.graphed import Found
from torch_utils.ops import cuda_resample, dispatch

DEVICE = torch.device("meta")
VALUES = ("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "unique")  # results that depend on values
RANDOM = ("rand", "normal", "uniform", "bernoulli", "multinomial")


class PretendedDevice(TorchDispatchMode):
    """Lets happen what a GPU lets happen. What comes from the device is 1 everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.recording = False

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)]
        there, here = ([t for t in tensors if (t.device == DEVICE) is on_device] for on_device in (True, False))
        target = kwargs.get("device")
        leaves = name in ("_to_copy", "copy_") and bool(there) and (bool(here) or (target is not None and target.type == "cpu"))
        enters = name in ("_to_copy", "copy_") and bool(here) and (bool(there) or target == DEVICE)
        asks = name.startswith(VALUES) and bool(there)
        if self.recording:
            if leaves or enters:
                raise RuntimeError("Cannot copy between CPU and CUDA tensors during CUDA graph capture unless the CPU tensor is pinned")
            if asks or (name.startswith(RANDOM) and bool(there)):
                raise RuntimeError(f"{name} is not permitted when stream is capturing")
            if there and any(t.ndim for t in here):
                raise RuntimeError(f"{name} takes a tensor of the host, which must be copied: not permitted when stream is capturing")
        if asks:
            return True if name == "is_nonzero" else 1.0
        if leaves:
            return torch.ones_like(there[0], device="cpu", dtype=kwargs.get("dtype"))
        return func(*args, **kwargs)


class _Nothing:
    def replay(self) -> None:
        """As quickly as can be."""


class PretendedRecorder:
    """Records nothing, but refuses what a GPU would refuse; `refused` are the tracebacks."""

    def __init__(self, mode: PretendedDevice) -> None:
        self.device, self._mode = DEVICE, mode
        self.recorded, self.refused = 0, list[str]()

    @contextmanager
    def in_order(self) -> Iterator[None]:
        """There is one stream."""
        yield

    def record(self, work: Callable[[], Found]) -> tuple[_Nothing, Found]:
        self._mode.recording = True
        try:
            found = work()
        except Exception as error:
            self.refused.append("".join(traceback.format_exception(error)))
            raise
        finally:
            self._mode.recording = False
        self.recorded += 1
        return _Nothing(), found


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> Iterator[PretendedRecorder]:
    """Within the test, "meta" is a GPU with tensor cores, our kernels are available on it, and steps are recorded."""
    mode = PretendedDevice()
    recorder = PretendedRecorder(mode)
    registry = dispatch._registry
    registry._load_providers()
    ours = [c.implementation for o in registry._operators.values() for c in o.candidates if c.name == "cuda"]
    assert {i.op for i in ours} == {"filtered_lrelu", "upfirdn2d", "bias_act", "modulated_conv2d"}
    for implementation in ours:
        dispatch.register(replace(implementation, available=lambda: "pretended", devices=(DEVICE.type,)))
    monkeypatch.setattr(cuda_resample, "launch", lambda *_: None)
    monkeypatch.setattr(cuda_resample, "_tensor_cores", lambda _: True)
    monkeypatch.setattr(Tensor, "is_cuda", property(lambda t: t.is_meta), raising=False)
    monkeypatch.setattr(sys.modules[torch.optim.Adam.__module__], "_get_capturable_supported_devices", lambda *_, **__: ["meta"])
    monkeypatch.setattr("networks.train.generator.on_a_gpu", lambda tensor: tensor.is_meta)
    for module in ("adversarial", "supervised"):
        monkeypatch.setattr(f"networks.train.{module}.recorder_for", lambda *_, **__: recorder)
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)  # as `prepare_machine` does
    try:
        with mode:
            yield recorder
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        for implementation in ours:
            dispatch.register(implementation)

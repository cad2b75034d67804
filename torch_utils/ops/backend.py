"""What a backend is: a kind of call, an implementation that may take it, and the reasons why it may not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..cuda_build import CudaUnavailable
from ..native_build import NativeUnavailable


class Unavailable(Exception):
    """Raised by a backend's `available`: the backend cannot exist here. The message is the reason, for people."""


class BackendError(RuntimeError):
    """The backend that was forced with `use` cannot take this call."""


@dataclass(frozen=True, slots=True)
class Backend:
    """The path an operator takes and why, for the performance panel and for the header of a benchmark.

    `provisional`: a preferred one was not asked yet, and may serve later.
    """

    op: str
    name: str
    why: str
    provisional: bool = False

    def __str__(self) -> str:
        return f"{self.op}: {self.name} ({self.why})"


class Facts(NamedTuple):
    """All that a decision may know about a tensor. Strides and values are not among it: they may change from call to call."""

    shape: torch.Size
    dtype: torch.dtype
    device: torch.device


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of call. `tensors` are in the order of the operator's implementation, None where one was left out."""

    op: str
    tensors: tuple[Facts | None, ...]
    options: Any
    needs_grad: bool

    @property
    def x(self) -> Facts:
        """The first tensor, which every operator has."""
        facts = self.tensors[0]
        assert facts is not None
        return facts

    def __str__(self) -> str:
        shapes = ", ".join("None" if t is None else "x".join(map(str, t.shape)) or "scalar" for t in self.tensors)
        gradients = ", with gradients" if self.needs_grad else ""
        return f"{self.op}({shapes}; {str(self.x.dtype).removeprefix('torch.')} on {self.x.device}{gradients})"


def _always() -> str:
    return "plain torch"


def _takes_all(call: Call) -> str | None:
    return None


def _nothing() -> str | None:
    return None


@dataclass(frozen=True)
class Implementation:
    """A backend of one operator.

    `run(*tensors, options)` computes; `available()` returns a description or raises `Unavailable` (or the like of those who compile);
    `refuses(call)` returns a reason or None; `yields(call)`, asked where nobody forces a backend, why those after it are faster at this
    kind of call, or None; `devices` are device types ("cpu"), None for any; `differentiable` tells whether gradients flow through it (calls
    that need gradients skip the others); a smaller `rank` is preferred, and registration order decides among equals; `tells()` adds to the
    description what is known only later, if anything.
    """

    op: str
    name: str
    run: Callable[..., Tensor]
    available: Callable[[], str] = _always
    refuses: Callable[[Call], str | None] = _takes_all
    yields: Callable[[Call], str | None] = _takes_all
    devices: tuple[str, ...] | None = None
    differentiable: bool = False
    rank: int = 0
    tells: Callable[[], str | None] = _nothing


class Candidate:
    """An implementation with what is known about its availability. `report` is told, once, why it cannot exist."""

    def __init__(self, implementation: Implementation, report: Callable[[str], None]) -> None:
        self.implementation = implementation
        self.asked = False
        self.description = ""
        self._obstacle: str | None = None
        self._report = report
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The implementation's."""
        return self.implementation.name

    def serves(self, device: str) -> bool:
        """Whether it runs on this type of device."""
        return self.implementation.devices is None or device in self.implementation.devices

    def obstacle(self) -> str | None:
        """Why the backend cannot exist here, or None. Asks it the first time, which may compile for seconds."""
        with self._lock:
            if not self.asked:
                try:
                    self.description = self.implementation.available()
                except (Unavailable, CudaUnavailable, NativeUnavailable) as error:  # the latter of those who compile
                    self._obstacle = str(error)
                except Exception as error:  # an optional accelerator must never be fatal, whatever its fault; the reason is kept
                    self._obstacle = f"{type(error).__name__}: {error}"
                if self._obstacle is not None:
                    self._report(f"backend {self.name} is not available: {self._obstacle}")
                self.asked = True
        return self._obstacle

    def objection(self, call: Call) -> str | None:
        """Why this backend does not take the call: the cheapest questions first, so that nothing is compiled in vain."""
        if not self.serves(call.x.device.type):
            return f"runs on {' and '.join(self.implementation.devices or ())}, not on {call.x.device.type}"
        if call.needs_grad and not self.implementation.differentiable:
            return "has no backward, and gradients are needed"
        return self.obstacle() or self.implementation.refuses(call)

"""Who computes an operator: a registry of backends in order of preference, asked once for each kind of call.

Each operator has a reference in plain torch, which is its definition and is always there, and may have faster backends. A
backend says whether it can exist here (`available`, asked once, when first needed: this may compile) and which calls it takes
(`refuses`). The answer for a kind of call (shapes, types, devices, options, gradients) is remembered, so that a call costs
microseconds. Nothing falls back silently: `backends()` gives the path and the reason, `decisions()` what was decided for each kind
of call, and an error inside a backend is raised, with a note that names the backend.

A module of `PROVIDERS` is imported on the first call and registers its backends:

    def available() -> str:                     # what it is, for people: "g++ 12.2, AVX-512"
        ...                                     # raises Unavailable("no compiler found") if it cannot exist here
    def refuses(call: Call) -> str | None:      # why it does not take this call, None if it does
        return None if call.x.dtype == torch.float32 else f"takes float32 only, not {call.x.dtype}"
    register(Implementation("filtered_lrelu", "native", run, available=available, refuses=refuses, devices=("cpu",)))

where `run(*tensors, options)` takes what the operator's own `dispatch` call passes (see each operator's file).
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import forward_ad

PROVIDERS = ("torch_utils.ops.native", "torch_utils.ops.native_conv")
REFERENCE = "reference"
MOST_DECISIONS = 4096  # kinds of call remembered; an animation of sizes must not grow memory for ever

_FREE: Mapping[str, str] = MappingProxyType({})

_log = logging.getLogger(__name__)


class Unavailable(Exception):
    """Raised by a backend's `available`: the backend cannot exist here. The message is the reason, for people."""


class BackendError(RuntimeError):
    """The backend that was forced with `use` cannot take this call."""


@dataclass(frozen=True, slots=True)
class Backend:
    """The path an operator takes and why, for the performance panel and for the header of a benchmark."""

    op: str
    name: str
    why: str

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
        return f"{self.op}({shapes}; {str(self.x.dtype).removeprefix('torch.')} on {self.x.device}{', with gradients' * self.needs_grad})"


def _always() -> str:
    return "plain torch"


def _never_refuses(call: Call) -> str | None:
    return None


@dataclass(frozen=True)
class Implementation:
    """A backend of one operator.

    `run(*tensors, options)` computes; `available()` returns a description or raises `Unavailable`; `refuses(call)` returns a reason
    or None; `devices` are device types ("cpu"), None for any; `differentiable` tells whether gradients flow through it (calls that
    need gradients skip the others); a smaller `rank` is preferred, and registration order decides among equals.
    """

    op: str
    name: str
    run: Callable[..., Tensor]
    available: Callable[[], str] = _always
    refuses: Callable[[Call], str | None] = _never_refuses
    devices: tuple[str, ...] | None = None
    differentiable: bool = False
    rank: int = 0


class _Candidate:
    """An implementation with what is known about its availability."""

    def __init__(self, implementation: Implementation) -> None:
        self.implementation = implementation
        self.lock = threading.Lock()
        self.asked = False
        self.description = ""
        self.obstacle: str | None = None

    def ask(self) -> str | None:
        """Why the backend cannot exist here, or None. Asks it the first time, which may compile for seconds."""
        with self.lock:
            if not self.asked:
                try:
                    self.description = self.implementation.available()
                except Unavailable as error:
                    self.obstacle = str(error)
                except Exception as error:  # an optional accelerator must never be fatal, whatever it does
                    self.obstacle = f"{type(error).__name__}: {error}"
                if self.obstacle is not None:
                    _log.warning("%s: backend %s is not available: %s", self.implementation.op, self.implementation.name, self.obstacle)
                self.asked = True
        return self.obstacle

    def objection(self, call: Call) -> str | None:
        """Why this backend does not take the call, cheapest question first, so that nothing is compiled for calls it could not take."""
        implementation = self.implementation
        if implementation.devices is not None and call.x.device.type not in implementation.devices:
            return f"runs on {' and '.join(implementation.devices)}, not on {call.x.device.type}"
        if call.needs_grad and not implementation.differentiable:
            return "has no backward, and gradients are needed"
        return self.ask() or implementation.refuses(call)


@dataclass(eq=False)
class Decision:
    """What was decided for one kind of call, and how often it was called since."""

    call: Call
    backend: Backend
    run: Callable[..., Tensor] = field(repr=False)
    count: int = 0


@dataclass
class _Operator:
    check: Callable[[Call], None]
    candidates: list[_Candidate]


class Registry:
    """Operators, their backends, and the decisions made. The module's functions are those of one registry; tests make their own."""

    def __init__(self, providers: tuple[str, ...] = ()) -> None:
        self._providers = list(providers)
        self._broken_providers: dict[str, str] = {}
        self._operators: dict[str, _Operator] = {}
        self._decisions: dict[tuple, Decision] = {}
        self._lock = threading.RLock()
        self._forced: ContextVar[Mapping[str, str]] = ContextVar("forced backends", default=_FREE)

    def define(self, op: str, reference: Callable[..., Tensor], check: Callable[[Call], None]) -> None:
        """Add an operator: its definition, and the check (raising TypeError or ValueError) made once for each kind of call."""
        with self._lock:
            self._operators[op] = _Operator(check, [])
        self.register(Implementation(op, REFERENCE, reference, differentiable=True, rank=1000))

    def register(self, implementation: Implementation) -> None:
        """Add a backend, or replace the one of the same name. Decisions are made anew."""
        with self._lock:
            if implementation.op not in self._operators:
                raise ValueError(f"backend {implementation.name!r}: no operator {implementation.op!r}; there are {sorted(self._operators)}")
            candidates = self._operators[implementation.op].candidates
            candidates[:] = [c for c in candidates if c.implementation.name != implementation.name] + [_Candidate(implementation)]
            candidates.sort(key=lambda candidate: candidate.implementation.rank)
            self._decisions = {}

    def dispatch(self, op: str, tensors: tuple[Tensor | None, ...], options: Any) -> Tensor:
        """Compute `op` by the best backend that takes this kind of call. `options` is hashable, and the same object for equal options."""
        forced = self._forced.get()
        tracked = torch.is_grad_enabled()
        needs_grad = forward_ad._current_level >= 0
        key: list[Any] = [op, options, forced.get(op) if forced else None]
        for tensor in tensors:
            if tensor is None:
                key.append(None)
            elif isinstance(tensor, Tensor):
                key += (tensor.shape, tensor.dtype, tensor.device)
                needs_grad = needs_grad or (tracked and tensor.requires_grad)
            else:
                raise TypeError(f"{op} takes tensors, got {type(tensor).__name__}: {tensor!r:.80}")
        key.append(needs_grad)
        decision = self._decisions.get(signature := tuple(key))
        if decision is None:
            decision = self._decide(signature, tensors)
        decision.count += 1
        try:
            return decision.run(*tensors, options)
        except Exception as error:
            if decision.backend.name != REFERENCE:
                error.add_note(f"while {decision.backend} computed {decision.call}; use({REFERENCE!r}) goes round it")
            raise

    def _decide(self, signature: tuple, tensors: tuple[Tensor | None, ...]) -> Decision:
        op, options, forced, *_, needs_grad = signature
        self._load_providers()
        facts = tuple(None if t is None else Facts(t.shape, t.dtype, t.device) for t in tensors)
        call = Call(op, facts, options, needs_grad)
        operator = self._operators[op]
        operator.check(call)
        candidates = tuple(operator.candidates)
        chosen = self._forced_choice(call, forced, candidates) if forced else self._free_choice(call, candidates)
        with self._lock:
            if len(self._decisions) >= MOST_DECISIONS:
                self._decisions = {}
            return self._decisions.setdefault(signature, chosen)

    def _free_choice(self, call: Call, candidates: tuple[_Candidate, ...]) -> Decision:
        passed_over = []
        for candidate in candidates:
            objection = candidate.objection(call)
            if objection is None:
                why = "; ".join([candidate.description, *passed_over])
                return Decision(call, Backend(call.op, candidate.implementation.name, why), candidate.implementation.run)
            passed_over.append(f"{candidate.implementation.name}: {objection}")
        raise BackendError(f"no backend takes {call}: {'; '.join(passed_over)}")

    def _forced_choice(self, call: Call, name: str, candidates: tuple[_Candidate, ...]) -> Decision:
        candidate = next((c for c in candidates if c.implementation.name == name), None)
        if candidate is None:
            return self._free_choice(call, candidates)
        objection = candidate.objection(call)
        if objection is not None:
            raise BackendError(f"use({name!r}): {name} cannot compute {call}: {objection}")
        why = f"{candidate.description}; forced by use({name!r})"
        return Decision(call, Backend(call.op, name, why), candidate.implementation.run)

    def _load_providers(self) -> None:
        with self._lock:
            while self._providers:
                name = self._providers.pop(0)
                try:
                    importlib.import_module(name)
                except ModuleNotFoundError as error:
                    if error.name != name:
                        self._broken(name, error)
                except Exception as error:  # as in ask(): an optional accelerator is never fatal, and never silent
                    self._broken(name, error)

    def _broken(self, name: str, error: Exception) -> None:
        self._broken_providers[name] = f"{name} cannot be imported: {type(error).__name__}: {error}"
        _log.warning("%s", self._broken_providers[name])

    @contextmanager
    def use(self, name: str | None, *, op: str | None = None) -> Iterator[None]:
        """Force a backend in this thread (or task) for the `with` block, for one operator or for all that have a backend of that name.

        A call the backend cannot take raises `BackendError`; operators without such a backend choose as usual. None chooses freely again.
        Raises ValueError for a name nobody has.
        """
        self._load_providers()
        if op is not None and op not in self._operators:
            raise ValueError(f"use: no operator {op!r}; there are {sorted(self._operators)}")
        ops = self._operators if op is None else (op,)
        names = {o: {c.implementation.name for c in self._operators[o].candidates} for o in ops}
        if name is not None and not any(name in known for known in names.values()):
            raise ValueError(f"use: no backend {name!r}; there are {sorted(set().union(*names.values()))}" + self._provider_notes())
        forced = {o: n for o, n in self._forced.get().items() if o not in names}
        if name is not None:
            forced |= {o: name for o, known in names.items() if name in known}
        token = self._forced.set(forced)
        try:
            yield
        finally:
            self._forced.reset(token)

    def _provider_notes(self) -> str:
        return "".join(f"; {note}" for note in self._broken_providers.values())

    def backends(self, device: str = "cpu", *, probe: bool = True) -> dict[str, Backend]:
        """For each operator the most preferred backend that exists on a device type ("cpu", "cuda"), and why the others do not serve.

        Asks backends that were not asked yet, which may compile for seconds; with `probe=False` those read "not asked yet". Where kinds of
        call went another way, the reason says how many of how many and why; `decisions` lists them.
        """
        self._load_providers()
        return {op: self._describe(op, operator, device, probe=probe) for op, operator in sorted(self._operators.items())}

    def _describe(self, op: str, operator: _Operator, device: str, *, probe: bool) -> Backend:
        passed_over: list[str] = []
        for candidate in tuple(operator.candidates):
            implementation = candidate.implementation
            if implementation.devices is not None and device not in implementation.devices:
                continue
            if not probe and not candidate.asked and implementation.name != REFERENCE:
                passed_over.append(f"{implementation.name}: not asked yet")
            elif (obstacle := candidate.ask()) is not None:
                passed_over.append(f"{implementation.name}: {obstacle}")
            else:
                others = self._others(op, implementation.name, device)
                why = "; ".join([candidate.description, *passed_over, *others, *self._broken_providers.values()])
                return Backend(op, implementation.name, why)
        raise AssertionError(f"{op} has no reference")

    def _others(self, op: str, name: str, device: str) -> list[str]:
        """How many kinds of call did not take the usual path, by backend, with one reason each."""
        here = [d for d in tuple(self._decisions.values()) if d.backend.op == op and d.call.x.device.type == device]
        astray: dict[str, list[Decision]] = {}
        for decision in here:
            if decision.backend.name != name:
                astray.setdefault(decision.backend.name, []).append(decision)
        return [f"{n}: {len(d)} of {len(here)} kinds of call, such as {d[-1].call}: {d[-1].backend.why}" for n, d in astray.items()]

    def decisions(self) -> tuple[Decision, ...]:
        """What was decided for each kind of call since the last registration, oldest first."""
        return tuple(self._decisions.values())


_registry = Registry(PROVIDERS)
define = _registry.define
register = _registry.register
dispatch = _registry.dispatch
use = _registry.use
backends = _registry.backends
decisions = _registry.decisions

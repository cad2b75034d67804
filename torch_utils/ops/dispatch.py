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

where `run(*tensors, options)` takes what the operator's own `dispatch` call passes (see each operator's file). Tensors come as
the caller gave them: strides may be anything, and the result's type and layout should be those of x.
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
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from .backend import Backend, BackendError, Call, Candidate, Facts, Implementation, Unavailable

__all__ = ["Backend", "BackendError", "Call", "Decision", "Facts", "Implementation", "Registry", "Unavailable"]
__all__ += ["PROVIDERS", "REFERENCE", "backends", "decisions", "define", "dispatch", "register", "use"]

PROVIDERS = (
    "torch_utils.ops.native",
    "torch_utils.ops.native_conv",
    "torch_utils.ops.native_doubling",
    "torch_utils.ops.cuda",
    "torch_utils.ops.cuda_conv",
)
REFERENCE = "reference"
MOST_DECISIONS = 4096  # kinds of call remembered; an animation of sizes must not grow memory for ever
_FREE: Mapping[str, str] = MappingProxyType({})

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Decision:
    """What was decided for one kind of call, and about how often it was called since (threads may lose a count)."""

    call: Call
    backend: Backend
    run: Callable[..., Tensor] = field(repr=False)
    count: int = 0


@dataclass
class _Operator:
    check: Callable[[Call], None]
    candidates: tuple[Candidate, ...] = ()


class Registry:
    """Operators, their backends, and the decisions made. The module's functions are those of one registry; tests make their own."""

    def __init__(self, providers: tuple[str, ...] = ()) -> None:
        self._providers = list(providers)
        self._broken_providers: list[str] = []
        self._operators: dict[str, _Operator] = {}
        self._decisions: dict[tuple, Decision] = {}
        self._reported: set[str] = set()
        self._lock = threading.Lock()
        self._loading = threading.RLock()  # not _lock: whoever imports a provider by name holds its import lock and calls register
        self._forced: ContextVar[Mapping[str, str]] = ContextVar("forced backends", default=_FREE)

    def define(self, op: str, reference: Callable[..., Tensor], check: Callable[[Call], None]) -> None:
        """Add an operator: its definition, and the check (raising TypeError or ValueError) made once for each kind of call."""
        with self._lock:
            self._operators[op] = _Operator(check)
        self.register(Implementation(op, REFERENCE, reference, differentiable=True, rank=1000))

    def register(self, implementation: Implementation) -> None:
        """Add a backend, or replace the one of the same name. Decisions are made anew. Raises ValueError for an unknown operator."""
        with self._lock:
            operator = self._operators.get(implementation.op)
            if operator is None:
                raise ValueError(f"backend {implementation.name!r}: no operator {implementation.op!r}; there are {sorted(self._operators)}")
            others = [c for c in operator.candidates if c.name != implementation.name]
            candidates = [*others, Candidate(implementation, self._report)]
            operator.candidates = tuple(sorted(candidates, key=lambda candidate: candidate.implementation.rank))
            self._decisions = {}

    def dispatch(self, op: str, tensors: tuple[Tensor | None, ...], options: Any) -> Tensor:
        """Compute `op` by the best backend that takes this kind of call. `options` are hashable, and one object for equal options."""
        forced = self._forced.get()
        tracked = torch.is_grad_enabled()
        needs_grad = forward_ad._current_level >= 0  # derivatives forward: a dual tensor does not say that it is one
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
        self._load_providers()
        op, options, forced, *_, needs_grad = signature
        decisions, operator = self._decisions, self._operators[op]  # a registration meanwhile leaves this decision in the old dict
        facts = tuple(None if t is None else Facts(t.shape, t.dtype, t.device) for t in tensors)
        call = Call(op, facts, options, needs_grad)
        operator.check(call)
        chosen = _forced_choice(call, forced, operator.candidates) if forced else _free_choice(call, operator.candidates)
        with self._lock:
            if len(decisions) >= MOST_DECISIONS:
                decisions.clear()
            return decisions.setdefault(signature, chosen)

    def _load_providers(self) -> None:
        with self._loading:
            while self._providers:
                name = self._providers.pop(0)
                try:
                    importlib.import_module(name)
                except Exception as error:  # as for a backend: an optional accelerator is never fatal, and never silent
                    if not (isinstance(error, ModuleNotFoundError) and error.name == name):
                        self._broken_providers.append(f"{name} cannot be imported: {type(error).__name__}: {error}")
                        self._report(self._broken_providers[-1])

    def _report(self, message: str) -> None:
        """Show a message, once: three operators of one library that does not build are one message."""
        if message not in self._reported:
            self._reported.add(message)
            _log.warning("%s", message)

    @contextmanager
    def use(self, name: str | None, *, op: str | None = None) -> Iterator[None]:
        """Force a backend in this thread (or task) for the `with` block, for one operator or for all that have a backend of that name.

        A call the backend cannot take raises `BackendError`; operators without such a backend choose as usual. None chooses freely
        again. Raises ValueError for a name nobody has.
        """
        self._load_providers()
        if op is not None and op not in self._operators:
            raise ValueError(f"use: no operator {op!r}; there are {sorted(self._operators)}")
        names = {o: {c.name for c in self._operators[o].candidates} for o in (self._operators if op is None else (op,))}
        if name is not None and not any(name in known for known in names.values()):
            known = sorted(set().union(*names.values()))
            raise ValueError("; ".join([f"use: no backend {name!r}; there are {known}", *self._broken_providers]))
        forced = {o: n for o, n in self._forced.get().items() if o not in names}
        if name is not None:
            forced |= {o: name for o, known in names.items() if name in known}
        token = self._forced.set(forced)
        try:
            yield
        finally:
            self._forced.reset(token)

    def backends(self, device: str = "cpu", *, probe: bool = True) -> dict[str, Backend]:
        """For each operator the most preferred backend that exists on a device type ("cpu", "cuda"), and why the others do not serve.

        Asks backends that were not asked yet, which may compile for seconds; with `probe=False` those read "not asked yet". Where kinds
        of call went another way, the reason says how many of how many and why; `decisions` lists them.
        """
        self._load_providers()
        return {op: self._describe(op, operator, device, probe=probe) for op, operator in sorted(self._operators.items())}

    def _describe(self, op: str, operator: _Operator, device: str, *, probe: bool) -> Backend:
        passed_over, provisional = [], False
        for candidate in operator.candidates:
            if not candidate.serves(device):
                continue
            if not probe and not candidate.asked and candidate.name != REFERENCE:
                passed_over.append(f"{candidate.name}: not asked yet")
                provisional = True
            elif (obstacle := candidate.obstacle()) is not None:
                passed_over.append(f"{candidate.name}: {obstacle}")
            else:
                here = [d for d in tuple(self._decisions.values()) if d.backend.op == op and d.call.x.device.type == device]
                why = [candidate.description, candidate.implementation.tells(), *passed_over, *_astray(here, candidate.name)]
                return Backend(op, candidate.name, "; ".join(filter(None, [*why, *self._broken_providers])), provisional)
        raise AssertionError(f"{op} has no reference")

    def decisions(self) -> tuple[Decision, ...]:
        """What was decided for each kind of call since the last registration, oldest first."""
        return tuple(self._decisions.values())


def _free_choice(call: Call, candidates: tuple[Candidate, ...]) -> Decision:
    passed_over: list[str] = []
    for candidate in candidates:
        objection = candidate.objection(call) or candidate.implementation.yields(call)
        if objection is None:
            why = "; ".join([candidate.description, *passed_over])
            return Decision(call, Backend(call.op, candidate.name, why), candidate.implementation.run)
        passed_over.append(f"{candidate.name}: {objection}")
    raise BackendError(f"no backend takes {call}: {'; '.join(passed_over)}")


def _forced_choice(call: Call, name: str, candidates: tuple[Candidate, ...]) -> Decision:
    candidate = next(c for c in candidates if c.name == name)
    objection = candidate.objection(call)
    if objection is not None:
        raise BackendError(f"use({name!r}): {name} cannot compute {call}: {objection}")
    why = f"{candidate.description}; forced by use({name!r})"
    return Decision(call, Backend(call.op, name, why), candidate.implementation.run)


def _astray(decisions: list[Decision], usual: str) -> list[str]:
    """How many kinds of call did not take the usual path, by backend, with one reason each."""
    others: dict[str, list[Decision]] = {}
    for decision in decisions:
        if decision.backend.name != usual:
            others.setdefault(decision.backend.name, []).append(decision)
    return [f"{name}: {len(d)} of {len(decisions)} kinds of call, such as {d[-1].call}: {d[-1].backend.why}" for name, d in others.items()]


_registry = Registry(PROVIDERS)
define = _registry.define
register = _registry.register
dispatch = _registry.dispatch
use = _registry.use
backends = _registry.backends
decisions = _registry.decisions

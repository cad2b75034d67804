"""Synthesis as a chain of steps that can stop at any place, resume from a remembered one, and be called off.

Step k depends on step k - 1, on the rows of ws that it reads and on a few conditions (pose, noise, precision), and on
nothing else. Its key is the digest of just these, so a memo that holds step k makes all earlier steps unnecessary:
mixing styles in late layers, or tapping another layer, never recomputes the early ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class StepKey(NamedTuple):
    """Names one result: which network, which step (the tap's name), and the digest of all that decided it."""

    network: Hashable
    name: str
    digest: bytes


class Activation(NamedTuple):
    """What a step leaves behind: `shown` is the tap's tensor [N, C, H, W], `carried` what later steps need beside it.

    `carried` is empty where the next step needs `shown` alone; `tensors` and `nbytes` are for the memo's owner.
    """

    shown: Tensor
    carried: tuple[Tensor | None, ...] = ()

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The distinct tensors held."""
        held = {id(t): t for t in (self.shown, *self.carried) if t is not None}
        return tuple(held.values())

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes, counting a tensor once."""
        return sum(t.numel() * t.element_size() for t in self.tensors)

    def showing(self, shown: Tensor) -> Activation:
        """The same with another tensor at the tap, in all places where later steps find it."""
        make = getattr(type(self.carried), "_make", tuple)
        return Activation(shown, make(shown if t is self.shown else t for t in self.carried))


class Memo(Protocol):
    """Where results are kept, and for how long, is the owner's business.

    `put` is called once for every step that was really computed, in order, so `key.name` tells its owner which layers
    ran. `get` answers None for what it does not hold (any more).
    """

    def get(self, key: StepKey, /) -> Activation | None: ...

    def put(self, key: StepKey, value: Activation, /) -> object: ...


@dataclass(frozen=True)
class Step:
    """One step of synthesis: its tap's name, the rows of ws it reads, what else decides its result, and the work.

    `run(previous, ws)` gets the previous step's activation (None for the first) and all of ws [N, num_ws, w_dim].
    """

    name: str
    rows: tuple[int, ...]
    conditions: tuple[object, ...]
    run: Callable[[Activation | None, Tensor], Activation]


def chain_keys(
    steps: Sequence[Step],
    ws: Tensor,
    network: Hashable,
    origin: tuple[object, ...] = (),
    names: Sequence[Hashable] | None = None,
) -> list[StepKey]:
    """The key of each step; `origin` is what all of them depend on (device, state of the weights).

    The rows of ws enter by their values; or by their `names`, where the caller knows what made them, so that nothing has to be read back
    from a GPU. A name's `repr` must tell it from all others.
    """
    if names is not None:
        row_bytes = [repr(name).encode() for name in names]
    else:
        rows = ws.detach().to("cpu", torch.float32).contiguous().numpy()
        row_bytes = [rows[:, row].tobytes() for row in range(ws.shape[1])]
    digest = hashlib.blake2b(repr((tuple(ws.shape), *origin)).encode(), digest_size=16).digest()
    keys = []
    for step in steps:
        chained = hashlib.blake2b(digest, digest_size=16)
        chained.update(repr((step.name, *step.conditions)).encode())
        for row in step.rows:
            chained.update(row_bytes[row])
        digest = chained.digest()
        keys.append(StepKey(network, step.name, digest))
    return keys


def run_steps(
    steps: Sequence[Step],
    ws: Tensor,
    *,
    keys: Sequence[StepKey] = (),
    memo: Memo | None = None,
    superseded: Callable[[], bool] | None = None,
) -> Activation | None:
    """Run the steps in order and return the last one's activation, or None if `superseded()` said so before a step.

    With a memo (then `keys` are those of the steps) it starts after the furthest step that the memo holds.
    """
    activation, start = furthest(keys, memo) if memo is not None else (None, 0)
    for index in range(start, len(steps)):
        if superseded is not None and superseded():
            return None
        activation = steps[index].run(activation, ws)
        if memo is not None:
            memo.put(keys[index], activation)
    return activation


def furthest(keys: Sequence[StepKey], memo: Memo) -> tuple[Activation | None, int]:
    """The furthest remembered activation and the index of the step after it."""
    for index in reversed(range(len(keys))):
        held = memo.get(keys[index])
        if held is not None:
            return held, index + 1
    return None, 0

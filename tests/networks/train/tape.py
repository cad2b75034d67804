"""CUDA graphs without a GPU: a tape of the kernels that some work runs, on the tensors it ran them on, to be run again.

What a CUDA graph forbids raises a RuntimeError here too: asking for a number, results whose shape depends on values, making tensors from
host data, and random numbers. As there, recording changes nothing: what the work wrote is put back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from networks.train.graphed import Found
from torch_utils import ops

FORBIDDEN = ("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "rand", "normal_", "uniform_", "bernoulli")


class Tape(TorchDispatchMode):
    """Notes what runs within it; `replay` does it again."""

    def __init__(self) -> None:
        super().__init__()
        self._notes: list[tuple[Any, tuple, dict, list[Tensor]]] = []
        self._written: dict[tuple, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        if name.startswith(FORBIDDEN) or (name.startswith("lift_fresh") and args[0].ndim):  # a single number from the host is allowed
            raise RuntimeError(f"{name} cannot be recorded")
        self._keep_what_is_written(func, args, kwargs)
        result = func(*args, **kwargs)
        if not func.is_view:
            fresh = [] if func._schema.is_mutable else [t for t in tree_flatten(result)[0] if isinstance(t, Tensor)]
            self._notes.append((func, args, kwargs, fresh))
        return result

    def replay(self) -> None:
        """The same kernels on the same tensors, whatever they hold now."""
        with torch.no_grad():
            for func, args, kwargs, places in self._notes:
                results = [t for t in tree_flatten(func(*args, **kwargs))[0] if isinstance(t, Tensor)]
                for place, result in zip(places, results, strict=False):
                    if place.data_ptr() != result.data_ptr():
                        place.copy_(result)

    def undo(self) -> None:
        """Put back what was written to tensors that were there before."""
        with torch.no_grad():
            for tensor, before in self._written.values():
                tensor.copy_(before)

    def _keep_what_is_written(self, func: Any, args: tuple, kwargs: dict) -> None:
        for place, argument in enumerate(func._schema.arguments):
            value = args[place] if place < len(args) else kwargs.get(argument.name)
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            for tensor in tree_flatten(value)[0]:
                key = (tensor.data_ptr(), tensor.shape, tensor.stride())
                if isinstance(tensor, Tensor) and key not in self._written:
                    self._written[key] = (tensor, tensor.detach().clone())


class TapeRecorder:
    """Records on tapes; `fails` names a computation that cannot be recorded."""

    def __init__(self, fails: Callable[[], bool] = lambda: False) -> None:
        self.device = torch.device("cpu")
        self.recorded, self._fails = 0, fails

    @contextmanager
    def in_order(self) -> Iterator[None]:
        """By the reference: native kernels are not seen by the tape."""
        with ops.use("reference"):
            yield

    def record(self, work: Callable[[], Found]) -> tuple[Tape, Found]:
        if self._fails():
            raise RuntimeError("operation not permitted when stream is capturing\nmore lines")
        tape = Tape()
        with tape:
            found = work()
        tape.undo()
        self.recorded += 1
        return tape, found

"""A kernel that is made of a weight, made once for as long as the weight stays what it is."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class KeptKernel:
    """Backends pack a weight that they know only once, so what is made of one has to stay the same tensor.

    It is made outside of inference mode, so that they can see that it does not change. Two threads may ask: it is kept by one assignment.
    """

    def __init__(self) -> None:
        self._held: tuple[tuple[object, ...], Tensor] | None = None

    def of(self, weight: Tensor, make: Callable[[Tensor], Tensor]) -> Tensor:
        """make(weight), kept unless gradients go through it. `make` is the same in every call."""
        if weight.is_inference() or (torch.is_grad_enabled() and weight.requires_grad):
            return make(weight)
        state = (weight._version, weight.data_ptr(), weight.device, weight.dtype)
        held = self._held
        if held is None or held[0] != state:
            with torch.inference_mode(False), torch.no_grad():
                held = self._held = (state, make(weight.detach()))
        return held[1]

"""Numbers from the processor to where a tensor lives, without waiting for what the GPU has still to do.

`torch.tensor(numbers, device="cuda")` and `values[[0, 2]]` copy from pageable memory, and torch waits until the stream has got so far.
A copy from pinned memory is only put into the stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

FEW = 8  # single slices that one kernel gathers without indices


def sent(numbers: Tensor | np.ndarray | Sequence[Any], device: torch.device, dtype: torch.dtype | None = None) -> Tensor:
    """The numbers as a tensor on `device`; complete for whatever is put into the current stream later."""
    source = torch.as_tensor(numbers, dtype=dtype)
    return source.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else source.to(device)


def picked(values: Tensor, indices: Sequence[int]) -> Tensor:
    """values[list(indices)] along the first dimension, as a tensor of its own; `values` itself where that is all of them in order.

    A run of indices and a few single ones need no indices on the device.
    """
    first, count = indices[0], len(indices)
    if tuple(indices) == tuple(range(first, first + count)):
        return values if count == len(values) else values[first : first + count].clone()
    if count <= FEW:
        return torch.stack([values[index] for index in indices])
    return values.index_select(0, sent(list(indices), values.device))

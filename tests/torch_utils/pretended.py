"""A GPU that is pretended: tensors of the processor that say they are on "cuda", and an error wherever reading or sending them would wait.

What torch's own switch (`waiting.no_waiting`) notices with a GPU, this notices without one, at the border between Python and torch: numbers
read back, copies either way that are not `non_blocking` from or to pinned memory, indices that come from the processor, masks.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map_only

CUDA = torch.device("cuda")
READING = ("item", "tolist", "numpy", "nonzero", "masked_select", "unique", "equal", "allclose")
READING += ("__float__", "__int__", "__bool__", "__index__")
ASKING = ("is_inference", "data_ptr", "numel", "element_size", "is_contiguous", "dim", "size", "stride", "detach", "__len__")
MAKING = ("tensor", "as_tensor", "from_numpy", "new_tensor", "asarray")


class Waits(AssertionError):
    """Something would have waited for the GPU."""


class OnGpu(torch.Tensor):
    """A tensor that says it is on the GPU."""

    device = CUDA  # type: ignore[assignment]
    is_cuda = True


class Pinned(torch.Tensor):
    """A tensor of the processor in pinned memory."""


def on_gpu(tensor: torch.Tensor) -> OnGpu:
    return tensor.detach().as_subclass(OnGpu)


class Pretending(TorchFunctionMode):
    """While it lasts, `launches` counts what was called on the pretended GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.launches: list[str] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(function, "__name__", str(function))
        there = any(isinstance(leaf, OnGpu) for leaf in tree_leaves((args, kwargs)))
        if name == "__get__" or name in ASKING:
            return function(*args, **kwargs)
        if name == "pin_memory":
            return args[0].as_subclass(Pinned)
        if there and name in READING:
            raise Waits(f"{name} reads numbers back")
        if name in ("to", "cpu", "cuda", "copy_"):
            return self._copied(name, function, args, kwargs)
        if name in MAKING and (there or _is_cuda(kwargs.get("device"))):
            raise Waits(f"{name} copies from memory that is not pinned")
        if there and name in ("__getitem__", "__setitem__", "index_select", "gather", "take"):
            for index in args[1] if isinstance(args[1], tuple) else args[1:]:
                _checked_index(name, index)
        if _is_cuda(kwargs.get("device")):
            kwargs["device"], there = "cpu", True
        result = function(*args, **kwargs)
        if not there:
            return result
        self.launches.append(name)
        return tree_map_only(torch.Tensor, lambda t: t.as_subclass(OnGpu), result)

    def _copied(self, name: str, function: Any, args: Any, kwargs: Any) -> Any:
        values, others = args[0], [*args[1:], *kwargs.values()]
        source, target = (args[1], args[0]) if name == "copy_" else (values, None)
        came = isinstance(source, OnGpu)
        if target is not None:
            goes = isinstance(target, OnGpu)
        elif name in ("cpu", "cuda"):
            goes = name == "cuda"
        else:
            asked = [o for o in others if isinstance(o, str | torch.device)] + [o.device for o in others if isinstance(o, torch.Tensor)]
            goes = _is_cuda(asked[0]) if asked else came
        if came != goes:
            if kwargs.get("non_blocking") is not True:
                raise Waits(f"{name} waits for the GPU")
            if goes and not isinstance(source, Pinned):
                raise Waits(f"{name} from memory that is not pinned waits for the GPU")
        if came or goes:
            self.launches.append(name)
        result = function(*map(_plain, args), **{key: _plain(value) for key, value in kwargs.items()})
        return result.as_subclass(OnGpu if goes else torch.Tensor)


def _plain(value: Any) -> Any:
    """An argument as the processor takes it."""
    if isinstance(value, Pinned):
        return value.as_subclass(torch.Tensor)
    return "cpu" if not isinstance(value, torch.Tensor) and _is_cuda(value) else value


def _is_cuda(device: Any) -> bool:
    return isinstance(device, str | torch.device) and str(device).startswith("cuda")


def _checked_index(name: str, index: Any) -> None:
    if isinstance(index, list):
        raise Waits(f"{name} with a list sends it from memory that is not pinned")
    if isinstance(index, torch.Tensor) and index.dtype == torch.bool:
        raise Waits(f"{name} with a mask counts what it holds")
    if isinstance(index, torch.Tensor) and not isinstance(index, OnGpu) and index.ndim:
        raise Waits(f"{name} with indices of the processor")

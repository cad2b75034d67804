"""Loads compiled kernels on a GPU and launches them on torch's current stream, through the driver's interface in `cuda-bindings`."""

from __future__ import annotations

import ctypes
import threading
from functools import lru_cache
from typing import Any

import torch

from .cuda_build import CudaUnavailable, Kernel, bindings, find_compiler, machine_code

_lock = threading.Lock()
_loaded: dict[tuple[Kernel, int], Any] = {}  # kept for the life of the process, as modules are
_LITTLE = 48 * 1024  # bytes of shared memory that a block may have without asking


@lru_cache(maxsize=1)
def _driver() -> Any:
    return bindings("driver")


def _checked(answer: tuple[Any, ...]) -> Any:
    """What a call of the driver gave, without its error code; raises RuntimeError naming the error."""
    if answer[0] != _driver().CUresult.CUDA_SUCCESS:
        raise RuntimeError(f"the CUDA driver refused a call: {answer[0].name}")
    return answer[1] if len(answer) > 1 else None


def describe() -> str:
    """What compiles, and the GPUs it compiles for. Raises CudaUnavailable where there is no GPU or no compiler."""
    if not torch.cuda.is_available():
        build = "this torch is built without CUDA" if torch.version.cuda is None else "torch finds no CUDA device"
        raise CudaUnavailable(build)
    compiler = find_compiler()
    try:
        _checked(_driver().cuInit(0))
    except RuntimeError as error:
        raise CudaUnavailable(str(error)) from None
    names = sorted({f"{torch.cuda.get_device_name(i)} (sm_{capability(i)})" for i in range(torch.cuda.device_count())})
    return f"{compiler.version}, {', '.join(names)}"


@lru_cache(maxsize=16)
def capability(index: int) -> int:
    """90 for sm_90."""
    major, minor = torch.cuda.get_device_capability(index)
    return 10 * major + minor


@lru_cache(maxsize=16)
def _context(index: int) -> Any:
    """The device's primary context, which is torch's; kept for the life of the process, as torch keeps it."""
    driver = _driver()
    return _checked(driver.cuDevicePrimaryCtxRetain(_checked(driver.cuDeviceGet(index))))


def _function(kernel: Kernel, index: int, shared_bytes: int) -> Any:
    """The loaded kernel; modules are never unloaded. Called with the device's context current.

    A kernel whose blocks have `shared_bytes` beyond what every block may have, asks for it, and for as much as there is beside the cache:
    the driver would make room for one block only.
    """
    driver, code = _driver(), machine_code(kernel, capability(index))
    function = _checked(driver.cuModuleGetFunction(_checked(driver.cuModuleLoadData(code)), kernel.entry.encode()))
    if shared_bytes > _LITTLE or kernel.name == "conv":
        attribute = driver.CUfunction_attribute
        _checked(driver.cuFuncSetAttribute(function, attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared_bytes))
        _checked(driver.cuFuncSetAttribute(function, attribute.CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 100))
    return function


def _current_stream(index: int) -> int:
    """torch's current stream. The private function, which does without an object, costs a tenth; it is used where it is there."""
    raw = getattr(torch._C, "_cuda_getCurrentRawStream", None)
    return torch.cuda.current_stream(index).cuda_stream if raw is None else raw(index)


def launch(kernel: Kernel, blocks: int, shared_bytes: int, call: ctypes.Structure, device: torch.device) -> None:
    """Put one launch into the current stream of `device`; returns at once. `call` is the kernel's one argument, copied here.

    The first launch of a kernel compiles and loads it, which cannot happen while a CUDA graph is being captured: run once before.
    """
    current = torch.cuda.current_device()
    index = current if device.index is None else device.index
    if index != current:
        with torch.cuda.device(index):
            return launch(kernel, blocks, shared_bytes, call, device)
    driver = _driver()
    context = _context(index)
    if int(_checked(driver.cuCtxGetCurrent())) != int(context):
        _checked(driver.cuCtxSetCurrent(context))
    function = _loaded.get((kernel, index))
    if function is None:
        with _lock:  # two threads must not compile the same kernel
            function = _loaded.get((kernel, index)) or _loaded.setdefault((kernel, index), _function(kernel, index, shared_bytes))
    arguments = (ctypes.c_void_p * 1)(ctypes.addressof(call))
    stream = _current_stream(index)
    threads = kernel.threads
    _checked(driver.cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, shared_bytes, stream, ctypes.addressof(arguments), 0))

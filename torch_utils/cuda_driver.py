"""Loads compiled kernels on a GPU and launches them on torch's current stream, through the driver's interface in `cuda-bindings`."""

from __future__ import annotations

import ctypes
import threading
from functools import lru_cache
from typing import Any

import torch

from .cuda_build import THREADS, CudaUnavailable, Kernel, bindings, find_compiler, machine_code

_lock = threading.Lock()


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


@lru_cache(maxsize=1024)
def _function(kernel: Kernel, index: int) -> Any:
    """The loaded kernel; modules are never unloaded. Called with the device's context current."""
    code = machine_code(kernel, capability(index))
    module = _checked(_driver().cuModuleLoadData(code))
    return _checked(_driver().cuModuleGetFunction(module, kernel.entry.encode()))


def launch(kernel: Kernel, blocks: int, shared_bytes: int, call: ctypes.Structure, device: torch.device) -> None:
    """Put one launch into the current stream of `device`; returns at once. `call` is the kernel's one argument, copied here.

    The first launch of a kernel compiles and loads it, which cannot happen while a CUDA graph is being captured: run once before.
    """
    driver = _driver()
    index = torch.cuda.current_device() if device.index is None else device.index
    with torch.cuda.device(index):
        context = _context(index)
        if int(_checked(driver.cuCtxGetCurrent())) != int(context):
            _checked(driver.cuCtxSetCurrent(context))
        with _lock:  # two threads must not compile the same kernel
            function = _function(kernel, index)
        arguments = (ctypes.c_void_p * 1)(ctypes.addressof(call))
        stream = torch.cuda.current_stream(index).cuda_stream
        _checked(driver.cuLaunchKernel(function, blocks, 1, 1, THREADS, 1, 1, shared_bytes, stream, ctypes.addressof(arguments), 0))

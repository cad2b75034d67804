"""The native library, opened: found or built on the first request, then kept. A failure is kept too, until asked to try again."""

import _ctypes
import contextlib
import ctypes
import logging
import threading
from collections.abc import Callable

import torch  # first: OpenMP in the library then resolves to torch's own copy, and both share one pool of threads  # noqa: F401

from .native_build import NativeUnavailable, find_or_build, source_hash

log = logging.getLogger(__name__)

LEVELS = ("generic", "AVX2", "AVX-512", "AVX-512 with bf16")

_lock = threading.Lock()
_library: ctypes.CDLL | None = None
_failure: str | None = None


def library(*, retry: bool = False) -> ctypes.CDLL:
    """The library for this machine; the first call may compile it (some seconds). Raises NativeUnavailable with the reason.

    After a failure the same reason is raised again at once, until `retry` is given or the next start.
    """
    global _library, _failure
    with _lock:
        if _library is not None:
            return _library
        if _failure is not None and not retry:
            raise NativeUnavailable(_failure)
        try:
            _library, _failure = _open_or_rebuild(), None
        except NativeUnavailable as error:
            _failure = str(error)
            raise
        return _library


def settled() -> bool:
    """Whether `library` answers at once: it is open, or it is known why it cannot be."""
    return _library is not None or _failure is not None


def prepare(when_done: Callable[[], None] = lambda: None) -> None:
    """Opens or builds the library in a thread of its own, so that the first picture need not wait for a compiler."""

    def work() -> None:
        with contextlib.suppress(NativeUnavailable):  # the reason is kept, and shown by `backends()`
            library()
        when_done()

    threading.Thread(target=work, name="native build", daemon=True).start()


def _open_or_rebuild() -> ctypes.CDLL:
    path = find_or_build()
    try:
        return _open(str(path))
    except (OSError, AttributeError, ValueError) as error:
        log.warning("the native library %s cannot be used (%s); building it again", path, error)
    path = find_or_build(fresh=True)
    try:
        return _open(str(path))
    except (OSError, AttributeError, ValueError) as error:
        raise NativeUnavailable(f"the native library cannot be opened: {error}") from error


def _open(path: str) -> ctypes.CDLL:
    opened = ctypes.CDLL(path)
    try:
        opened.af_source_hash.restype = ctypes.c_char_p
        opened.af_limit_level.argtypes = [ctypes.c_int]
        opened.af_limit_level.restype = None
        carried = opened.af_source_hash().decode().removeprefix("source ")
        if carried != source_hash():
            raise ValueError(f"it was made from other sources ({carried})")
    except (AttributeError, ValueError):
        _ctypes.dlclose(opened._handle)  # or opening the next library of this name would give this one again
        raise
    return opened


def describe() -> str:
    """What the library uses here, for people: "AVX-512, OpenMP"."""
    opened = library()
    return f"{LEVELS[opened.af_level()]}, {'OpenMP' if opened.af_has_openmp() else 'one thread'}"


def limit_level(level: int) -> None:
    """Use at most this level (an index of LEVELS) from now on, for tests and comparisons."""
    library().af_limit_level(level)

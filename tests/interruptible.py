"""Processes that hear a signal, whoever started this one: a shell's background job ignores SIGINT, and so does all that it starts."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heard(number: int = signal.SIGINT) -> Iterator[None]:
    """What is started inside has the system's own answer to this signal. In the main thread only, as for all of `signal`."""
    before = signal.signal(number, signal.default_int_handler)  # a handler is not inherited, to ignore is
    try:
        yield
    finally:
        signal.signal(number, before)

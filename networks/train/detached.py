"""A run that outlives the shell that started it, and that saves before it ends when it is told to end."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

OUTPUT = "output.log"


def detach(module: str, arguments: Sequence[str], out: Path) -> int:
    """Start `python -m module arguments` in a session of its own, writing to `out`/output.log; says how to follow and to stop it.

    `arguments` without the one that asked for it. The number of the process.
    """
    out.mkdir(parents=True, exist_ok=True)
    with (out / OUTPUT).open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    print(f"process {process.pid} goes on without this shell")
    print(f"  it writes to   {out / OUTPUT}")
    print(f"  it saves and ends by   kill {process.pid}")
    return process.pid


@contextmanager
def told_to_end() -> Iterator[threading.Event]:
    """An event that is set when the process is asked to terminate, instead of its end. Only the main thread hears of it."""
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield told
        return
    before = signal.signal(signal.SIGTERM, lambda *_: told.set())
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)

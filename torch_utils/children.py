"""Processes that this one starts and waits for: none outlives it, and none makes another start wait for long. Standard library only."""

import atexit
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

POLL_S = 0.1
GRACE_S = 5.0


def run(command: Sequence[str], directory: Path, timeout_s: float) -> tuple[int, str]:
    """Exit status and output. Apart from the terminal's signals; whatever ends this call, ends the process and those that it started.

    Raises subprocess.TimeoutExpired.
    """
    process = subprocess.Popen(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    atexit.register(_ask_to_end, process)  # a window is closed, and the thread that waits does not come to its end
    try:
        output, _ = process.communicate(timeout=timeout_s)
    finally:
        atexit.unregister(_ask_to_end)
        if process.poll() is None:
            _end(process)
    return process.returncode, output


def _ask_to_end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def _end(process: subprocess.Popen[str]) -> None:
    """Asks first: ninja puts each compiler in a process group of its own, and only ninja knows them."""
    _ask_to_end(process)
    try:
        process.communicate(timeout=GRACE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@contextlib.contextmanager
def turn(file: Path, timeout_s: float, done: Callable[[], bool]) -> Iterator[None]:
    """One process after the other, each once `done()`, or once none is before it; after `timeout_s` in any case.

    The lock is the system's, on an open file: that of a process that has died is gone with it, and what is left of the file holds up
    nobody. Where there are no locks, nobody waits.
    """
    try:
        import fcntl

        file.parent.mkdir(parents=True, exist_ok=True)
        handle = file.open("ab")  # nothing is cut off: in a shared folder it may be a link to anything
    except (ImportError, OSError):
        yield
        return

    def mine(lock: IO[bytes]) -> bool:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a folder on a network without locks
            return True
        return True

    with handle:
        until = time.monotonic() + timeout_s
        while not done() and not mine(handle) and time.monotonic() < until:
            time.sleep(POLL_S)
        yield

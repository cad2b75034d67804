"""What a file says about itself: the session that it shows, and the command line that makes it again. Standard library only.

FILE in a command stands for the file itself, whatever it is called by then.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path

from viz.session.saved_json import check_length

PROGRAM = "visualizer.py"
START = '{"command"'  # how `about` begins
MEMBER = "origin"  # of an .npz
_running: ContextVar[str] = ContextVar("command", default="")


def note_command(argv: Sequence[str]) -> None:
    """From here on, files are made by this command line."""
    _running.set(f"python {PROGRAM} {_quoted(argv)}")


def _quoted(argv: Sequence[str]) -> str:
    """As this system's command line takes it: cmd.exe knows double quotes only."""
    if os.name != "nt":
        return shlex.join(argv)
    from subprocess import list2cmdline  # 10 ms that the window's start elsewhere does not need

    return list2cmdline(argv)


def running_command() -> str:
    """The command line that this process carries out; "" in the window."""
    return _running.get()


def about(session_json: str, command: str) -> str:
    """One text for files that have a single place for it. The session may be a saved view; "" is none."""
    return json.dumps({"command": command, **({"session": json.loads(session_json)} if session_json else {})})


def session_in(text: str) -> str | None:
    """The session of a text by `about`, as JSON; None where there is none. Raises StateError for one that is too long."""
    check_length(text, "a session")
    try:
        found = json.loads(text)["session"]
    except (ValueError, KeyError, TypeError):
        return None
    return json.dumps(found)


def sidecar(path: Path) -> Path:
    """The file beside a .npy that says where it came from: the format itself has no place for that."""
    return path.with_name(f"{path.name}.json")

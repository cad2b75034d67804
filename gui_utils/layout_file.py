"""The file that remembers where windows stand. What cannot be read or written is no reason to stop: the default layout is used."""

from __future__ import annotations

from pathlib import Path


def read_layout(path: Path | None) -> str:
    """Its text; "" where there is none yet, or none that can be read."""
    try:
        return path.read_text(encoding="utf-8") if path is not None else ""
    except (OSError, UnicodeDecodeError):
        return ""


def write_layout(path: Path, text: str) -> bool:
    """Replace the file in one step, so that a crash never leaves half of it; False where the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".part")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError:
        return False
    return True

"""The weights that a view was saved with, against those that are there now. Standard library only."""

from __future__ import annotations

from viz.groups.groups import Source


def other_weights(source: Source, name: str, now: str) -> str:
    """What is said where a view was saved with weights of another SHA-256 than those loaded under this name now; "" where all is well."""
    if source.sha256 in ("", now):
        return ""
    change = f"SHA-256 {source.sha256[:8]}…, now {now[:8]}…"
    return f"This view was saved with other weights of the name {name} ({change}): the picture may differ."

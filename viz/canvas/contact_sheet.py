"""How many channels a page of the contact sheet holds. Pure arithmetic, so that the window and the renderer agree on it."""

from __future__ import annotations

SAMPLES = 4096 * 4096  # a page is no larger
CHANNELS = 64


def page_size(channels: int, samples: int) -> int:
    """Channels on one page, for a layer of `channels` channels with `samples` samples each."""
    return max(1, min(channels, CHANNELS, SAMPLES // max(1, samples)))


def page_count(channels: int, samples: int) -> int:
    """Pages of the whole layer."""
    return max(1, -(-channels // page_size(channels, samples)))

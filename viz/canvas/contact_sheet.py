"""How many channels a page of the contact sheet holds, and what is said on its cells. Pure: the window and the renderer agree on it."""

from __future__ import annotations

from viz.request import Frame

SAMPLES = 4096 * 4096  # a page is no larger
CHANNELS = 64


def page_size(channels: int, samples: int) -> int:
    """Channels on one page, for a layer of `channels` channels with `samples` samples each."""
    return max(1, min(channels, CHANNELS, SAMPLES // max(1, samples)))


def measured(frame: Frame) -> tuple[str, ...]:
    """What measurements say of each channel on the sheet; "" where nothing is known yet."""
    said = [result.of_channels for result in frame.overlays.values() if not result.stale]
    channels = frame.picture.channels if frame.picture is not None else ()
    return tuple("  ".join(each[channel] for each in said if channel < len(each)) for channel in channels)


def page_count(channels: int, samples: int) -> int:
    """Pages of the whole layer."""
    return max(1, -(-channels // page_size(channels, samples)))

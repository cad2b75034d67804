"""Whether the file of the network on screen was written again since it was read: a training may go on beside the window."""

from __future__ import annotations

import time
from pathlib import Path

from networks.loading import changed_on_disk
from viz.request import NetworkFacts

DISK_CHECK_S = 2.0


class NetworkOnDisk:
    """Looks every few seconds."""

    def __init__(self) -> None:
        self.changed, self.looked_at = False, 0.0

    def look(self, facts: NetworkFacts | None) -> bool:
        now = time.monotonic()
        if facts is not None and facts.path and now - self.looked_at >= DISK_CHECK_S:
            self.looked_at = now
            self.changed = changed_on_disk(Path(facts.path), facts.size_bytes, facts.modified_ns)
        return self.changed

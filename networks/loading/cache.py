"""Where downloaded networks are kept, and what is remembered about each address.

Beside a download `<key>-<name>` lies `<key>.json` with the SHA-256 of the first download from that address. The record stays
when the download is thrown away, so that a file that changed behind an unchanged address is noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from torch_utils.atomic import atomic

APPLICATION = "aliasfree-visualizer"


def folder() -> Path:
    """The cache folder of the platform; ALIASFREE_CACHE names another one."""
    if chosen := os.environ.get("ALIASFREE_CACHE"):
        return Path(chosen) / "networks"
    import platformdirs

    return Path(platformdirs.user_cache_dir(APPLICATION, appauthor=False)) / "networks"


@dataclass(frozen=True)
class CachedDownload:
    """The places that belong to one address: the finished file, the unfinished one, and what is known of both."""

    url: str
    file: Path
    partial: Path
    partial_origin: Path
    record: Path

    @property
    def complete(self) -> bool:
        return self.file.is_file()

    @property
    def first_sha256(self) -> str | None:
        """SHA-256 of the first download from this address, if there was one."""
        found = read_json(self.record).get("sha256")
        return found if isinstance(found, str) else None

    def remember(self, sha256: str) -> None:
        if self.first_sha256 is None:
            write_json(self.record, {"url": self.url, "sha256": sha256})

    def forget(self) -> None:
        """Throw the finished file away; what was known of it stays."""
        self.file.unlink(missing_ok=True)


def download_of(url: str) -> CachedDownload:
    """Where the file behind `url` is, or would be, kept."""
    key = hashlib.sha256(url.encode()).hexdigest()[:16]
    file = folder() / f"{key}-{file_name(url)}"
    partial = file.with_name(file.name + ".part")
    return CachedDownload(url, file, partial, partial.with_name(partial.name + ".json"), file.with_name(f"{key}.json"))


def file_name(url: str) -> str:
    """The last part of an address as a harmless file name."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", unquote(urlsplit(url).path.rsplit("/", 1)[-1]))[-80:].lstrip(".")
    return name or "network"


def read_json(path: Path) -> dict:
    """A small record; empty if missing or damaged, since it can be made anew."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, record: dict) -> None:
    """Write a record whole or not at all."""
    with atomic(path) as new:
        new.write_text(json.dumps(record), "utf-8")

"""The networks that can be asked for by name: those that come with the program, then the published ones.

Read by the window before torch is imported, so this needs the standard library only (and `platformdirs` to look into the
cache). To bundle another network, put its `.safetensors` file into `networks/bundled`.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from .cache import download_of

BUNDLED_FOLDER = Path(__file__).resolve().parents[1] / "bundled"
PUBLISHED_AT = "https://api.ngc.nvidia.com/v2/models/nvidia/research/{family}/versions/1/files/{name}.pkl"
PUBLISHED_LICENCE = (
    "NVIDIA's own licence, for most of these networks non-commercial research only. It is not the licence of this program: "
    "read the terms on the publisher's page before you download."
)
MAX_HEADER_BYTES = 1 << 20

_ALIAS_FREE = (
    "afhqv2-512x512",
    "ffhq-1024x1024",
    "ffhqu-1024x1024",
    "ffhqu-256x256",
    "metfaces-1024x1024",
    "metfacesu-1024x1024",
)
_STYLEGAN2 = (
    "afhqcat-512x512",
    "afhqdog-512x512",
    "afhqv2-512x512",
    "afhqwild-512x512",
    "brecahad-512x512",
    "celebahq-256x256",
    "cifar10-32x32",
    "ffhq-1024x1024",
    "ffhq-256x256",
    "ffhq-512x512",
    "ffhqu-1024x1024",
    "ffhqu-256x256",
    "lsundog-256x256",
    "metfaces-1024x1024",
    "metfacesu-1024x1024",
)
_DATA_SETS = {
    "afhqcat": "AFHQ cats",
    "afhqdog": "AFHQ dogs",
    "afhqv2": "AFHQ v2",
    "afhqwild": "AFHQ wild animals",
    "brecahad": "BreCaHAD",
    "celebahq": "CelebA-HQ",
    "cifar10": "CIFAR-10",
    "ffhq": "FFHQ",
    "ffhqu": "FFHQ-U",
    "lsundog": "LSUN dogs",
    "metfaces": "MetFaces",
    "metfacesu": "MetFaces-U",
}


@dataclass(frozen=True)
class CatalogueEntry:
    """A network that can be asked for by `name`. `url` is empty for bundled networks, `size_bytes` None where unknown."""

    name: str
    title: str
    kind: Literal["bundled", "published"]
    url: str
    licence: str
    size_bytes: int | None
    config: str
    resolution: int
    description: str
    path: Path | None = None

    @property
    def cached(self) -> bool:
        """Whether it can be loaded without a download."""
        return self.kind == "bundled" or download_of(self.url).complete


def catalogue() -> tuple[CatalogueEntry, ...]:
    """All entries: bundled, then published."""
    return _bundled() + _published()


def entry_named(name: str) -> CatalogueEntry | None:
    return next((entry for entry in catalogue() if entry.name == name), None)


@cache
def _bundled() -> tuple[CatalogueEntry, ...]:
    return tuple(_bundled_entry(path) for path in sorted(BUNDLED_FOLDER.glob("*.safetensors")))


def _bundled_entry(path: Path) -> CatalogueEntry:
    metadata = read_metadata(path)
    description = metadata.get("description", "")
    return CatalogueEntry(
        name=path.stem,
        title=path.stem,
        kind="bundled",
        url="",
        licence=f"Apache-2.0, as this program. What it was trained on: {metadata.get('licence', 'not said')}",
        size_bytes=path.stat().st_size,
        config=metadata.get("config", ""),
        resolution=json.loads(metadata.get("constructor", "{}")).get("img_resolution", 0),
        description=description,
        path=path,
    )


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file, without its tensors. Raises ValueError if it has no readable header."""
    with path.open("rb") as file:
        start = file.read(8)
        (length,) = struct.unpack("<Q", start.ljust(8, b"\xff"))
        if length > MAX_HEADER_BYTES:
            raise ValueError(f"{path.name} does not start with the header of a safetensors file")
        header = json.loads(file.read(length))
    return header.get("__metadata__", {})


@cache
def _published() -> tuple[CatalogueEntry, ...]:
    alias_free = [_published_entry("stylegan3", config, data) for config in ("r", "t") for data in _ALIAS_FREE]
    return tuple(alias_free + [_published_entry("stylegan2", "", data) for data in _STYLEGAN2])


def _published_entry(family: str, config: str, data: str) -> CatalogueEntry:
    name = f"{family}-{config}-{data}" if config else f"{family}-{data}"
    data_set, resolution = data.split("-")
    pixels = int(resolution.split("x")[0])
    shown = f"StyleGAN3-{config.upper()}" if config else "StyleGAN2"
    return CatalogueEntry(
        name=name,
        title=f"{shown}, {_DATA_SETS[data_set]}, {pixels} px",
        kind="published",
        url=PUBLISHED_AT.format(family=family, name=name),
        licence=PUBLISHED_LICENCE,
        size_bytes=None,
        config=config.upper() or "A",
        resolution=pixels,
        description=f"{shown} trained on {_DATA_SETS[data_set]} at {pixels} x {pixels} pixels. No checksum is published.",
    )

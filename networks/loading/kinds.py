"""What a file is, by its first bytes."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["pickle", "safetensors"]

_OTHERS = (  # start, what it is
    (rb"PK\x03\x04", "is a zip archive (torch.save writes such files: convert the generator in it, or unpack it)"),
    (rb"\x89PNG", "is a PNG picture"),
    (rb"\xff\xd8\xff", "is a JPEG picture"),
    (rb"GIF8", "is a GIF picture"),
    (rb"\x1f\x8b", "is compressed with gzip: unpack it first"),
    (rb"\x89HDF", "is an HDF5 file"),
    (rb"%PDF", "is a PDF document"),
    (rb"version https://git-lfs", "is only a git-lfs pointer: fetch the file itself with git lfs pull"),
    (rb"\s*<(!doctype|html|\?xml|head|body|!--)", "is a web page, probably a server's error message"),
    (rb"\s*\{\s*\"", "is JSON, probably a server's error message"),
)


def kind_of(start: bytes, name: str = "") -> Kind | None:
    """The kind of a network file from its first bytes (512 are enough), None for others."""
    if re.match(rb"\x80[\x02-\x05]", start):
        return "pickle"
    if len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 1 << 32:
        return "safetensors"
    if name.endswith((".pkl", ".pickle")) and start and not any(re.match(other, start, re.IGNORECASE) for other, _ in _OTHERS):
        return "pickle"  # of an old protocol, or damaged: the unpickler says which
    return None


def why_not_a_network(start: bytes, name: str = "") -> str:
    """Empty for a network file; otherwise what it is instead, as the end of a sentence."""
    if kind_of(start, name) is not None:
        return ""
    if not start:
        return "is empty"
    for other, what in _OTHERS:
        if re.match(other, start, re.IGNORECASE):
            return what
    return "is not a known kind of network file (a snapshot .pkl or a .safetensors file)"

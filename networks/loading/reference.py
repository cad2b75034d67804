"""What a reference means: a catalogue name, an address, a file, or a folder of training snapshots."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from .catalogue import CatalogueEntry, catalogue, entry_named
from .errors import LoadError, name_is_text, printable

SNAPSHOTS = "network-snapshot-*.pkl"
SCHEME = "([A-Za-z][A-Za-z0-9+.-]+)://"


@dataclass(frozen=True)
class Place:
    """Where a network is: on this disk (`path`) or behind an address (`url`); one of them is set."""

    ref: str
    path: Path | None = None
    url: str = ""
    entry: CatalogueEntry | None = None

    @property
    def title(self) -> str:
        """A short name for messages."""
        if self.entry is not None:
            return self.entry.name
        return printable(self.path.name if self.path is not None else self.url)


def is_address(ref: str) -> bool:
    """Whether `ref` has the form of an address, of whatever kind, and is no path."""
    return re.match(SCHEME, ref.strip()) is not None


def resolve(ref: str | Path) -> Place:
    """Find out what `ref` means, without opening or downloading anything.

    Names of the catalogue come first (write "./name" for a file that is called like one). A folder stands for the newest
    `network-snapshot-*.pkl` in it. Raises LoadError if there is no such thing.
    """
    text = str(ref).strip()
    shown = printable(text)
    if not text:
        raise LoadError("no network", "the reference is empty", "Give a path, an address, or the name of a network.")
    if not name_is_text(text):
        raise LoadError(shown, "its name is not valid text", "Rename it.")
    if (entry := entry_named(text)) is not None:
        return Place(text, path=entry.path, url=entry.url, entry=entry)
    scheme = re.match(SCHEME, text)
    if scheme is not None:
        if scheme[1].lower() not in ("http", "https"):
            raise LoadError(shown, f"{scheme[1]}:// addresses are not supported", "Use http, https, or a path on this machine.")
        return Place(text, url=text)
    try:
        path = Path(text).expanduser()
        if path.is_dir():
            return Place(text, path=newest_snapshot(path))
        if path.is_file():
            return Place(text, path=path.absolute())
        missing = not path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: whose home ~ is, nobody knows
        reason = error.strerror if isinstance(error, OSError) else error
        raise LoadError(shown, f"this is not a usable path ({reason})", "Check the spelling.") from None
    if not missing:
        raise LoadError(shown, "this is neither a file nor a folder", "Give a network file.")
    raise LoadError(shown, "there is no such file, and no network of that name", _hint(text))


def newest_snapshot(folder: Path) -> Path:
    """The snapshot with the highest number in its name. Raises LoadError if the folder has none."""
    found = [path for path in folder.glob(SNAPSHOTS) if path.is_file()]
    if not found:
        raise LoadError(str(folder), f"the folder holds no {SNAPSHOTS}", "Choose a network file, or the folder of a training run.")
    return max(found, key=lambda path: (_number(path), path.stat().st_mtime_ns)).absolute()


def _number(path: Path) -> int:
    digits = re.search(r"(\d{1,18})$", path.stem)
    return int(digits[1]) if digits else -1


def _hint(text: str) -> str:
    names = [entry.name for entry in catalogue()]
    wanted = Path(text).name.removesuffix(".pkl").removesuffix(".safetensors")
    near = difflib.get_close_matches(wanted.lower(), names, n=1)
    return f'Did you mean "{near[0]}"?' if near else "Check the spelling; the Network panel and --list show the known names."

"""What loading reports when it cannot give a network: `LoadError` and `LoadCancelled`."""

from __future__ import annotations


class LoadError(Exception):
    """A network could not be loaded.

    `what` failed (the file or address), `why`, and what to `do` about it; `str()` joins the three.
    """

    def __init__(self, what: str, why: str, do: str):
        self.what, self.why, self.do = what, why, do
        super().__init__(what, why, do)

    def __str__(self) -> str:
        return f"{self.what}: {self.why}. {self.do}"


class UnusableFile(LoadError):
    """What is wrong is in the file itself: reading it once more ends the same way."""


class LoadCancelled(Exception):
    """The caller's `cancelled()` returned True. Nothing was kept but a partial download, which a retry continues."""


class Malformed(ValueError):
    """The bytes do not follow the format (internal: `load` turns it into a LoadError)."""


class Foreign(Malformed):
    """The file is whole, and holds something else than a network: another copy of it would help nobody."""


class Refused(Malformed):
    """The file asks for something that reading a network never needs, such as calling a function."""


def printable(text: str, limit: int = 120) -> str:
    """`text` from a file, made safe to print: control characters escaped, length bounded."""
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:limit])
    return shown + ("..." if len(text) > limit else "")


def name_is_text(name: str) -> bool:
    """Whether a file's name can be shown and written: a name of another encoding than UTF-8 comes as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)

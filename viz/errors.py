"""Errors whose text is a whole sentence for the person at the keyboard."""

UNFORESEEN = "failed in a way that was not foreseen"  # in every message about an exception that nobody expected


class CommandError(Exception):
    """Ends a command with exit code 1 and this one sentence."""


def sentence(error: BaseException) -> str:
    """An error's own text; of the system's about a file without its number: "folder/a.png: No space left on device"."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror

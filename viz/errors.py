"""Errors whose text is a whole sentence for the person at the keyboard."""

UNFORESEEN = "failed in a way that was not foreseen"  # in every message about an exception that nobody expected


class CommandError(Exception):
    """Ends a command with exit code 1 and this one sentence."""

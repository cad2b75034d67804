"""Errors whose text is a whole sentence for the person at the keyboard."""


class CommandError(Exception):
    """Ends a command with exit code 1 and this one sentence."""

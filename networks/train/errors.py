"""What can go wrong in training and is not a fault of the program: shown as one sentence, without a traceback."""

from __future__ import annotations


class TrainingError(Exception):
    """Says what failed, with the name and the value, and what to do."""


class DataError(TrainingError):
    """The training pictures cannot be used as they are."""


class CheckpointError(TrainingError):
    """A checkpoint could not be written or read; the last good one is untouched."""

"""What counts as a right answer: errors that tell of a file, the views of a comparison, pictures that are the same."""

from __future__ import annotations

import numpy as np

from viz.request import Beside, Frame, OverlayResult, RenderError

OF_FILES = ("load", "latent")  # stages whose error tells of a file that is missing, broken, or does not fit: a valid answer
MISSING = ("there is no such file", "cannot be read as a picture", "There is no picture")
BESIDE = (  # where drag points cannot be
    "There are no points to drag", "lies outside of what", "depends on none of the rows", "that points can follow",
)  # fmt: skip


def others(frame: Frame) -> tuple[Beside, ...]:
    """The further views of a comparison."""
    return tuple(frame.others.values())


def of_a_file(error: RenderError) -> bool:
    return error.stage in OF_FILES


def wrong(result: OverlayResult) -> RenderError | None:
    """The error of a measurement, unless it is about a file or a place that is not there."""
    error = result.error
    return None if error is None or any(text in error.message for text in MISSING + BESIDE) else error


def same_picture(one: Frame, other: Frame) -> bool:
    """Bit for bit."""
    if one.picture is None or other.picture is None:
        return one.picture is other.picture
    return np.array_equal(one.picture.values, other.picture.values, equal_nan=True)

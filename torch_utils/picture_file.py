"""Pictures in files, whoever has written them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image


@contextmanager
def opened_picture(file: Path | IO[bytes]) -> Iterator[Image.Image]:
    """Pillow's picture, to be read within. Raises OSError where it cannot be: for Pillow's other errors too (broken, or immense)."""
    try:
        with Image.open(file) as picture:
            yield picture
    except (SyntaxError, ValueError, Image.DecompressionBombError) as e:
        raise OSError(str(e)) from e

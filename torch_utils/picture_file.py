"""Pictures in files, whoever has written them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# Pillow tells what a file is by its first bytes, not its name, and knows kinds that are programs: what calls itself x.png and begins like
# PostScript would be run by Ghostscript. It is asked for these only.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")

ON_WHITE = "on white"


@contextmanager
def opened_picture(file: Path | IO[bytes]) -> Iterator[Image.Image]:
    """Pillow's picture, to be read within. Raises OSError where it cannot be: for Pillow's other errors too (broken, or immense)."""
    if isinstance(file, Path) and file.exists() and not file.is_file():
        raise OSError(f"{file.name} is no file")  # a pipe would be waited for
    try:
        with Image.open(file, formats=FORMATS) as picture:
            yield picture
    except UnidentifiedImageError as e:
        name = f"{file.name} is" if isinstance(file, Path) else "it is"
        raise OSError(f"{name} no picture of a kind that is read: {', '.join(FORMATS)}") from e
    except (SyntaxError, ValueError, Image.DecompressionBombError) as e:
        raise OSError(str(e)) from e


def rgb_of(picture: Image.Image) -> Image.Image:
    """Upright 8-bit RGB, whatever the file holds; what is transparent stands on white, and `is_on_white` says so of the result.

    What a file holds below full transparency is nobody's picture: programs leave black there, or what was cut away.
    Raises OSError where nothing says which value is white.
    """
    upright = ImageOps.exif_transpose(picture)  # a telephone stores portraits lying on their side
    if upright.mode.startswith("I;16") or (upright.mode == "I" and picture.format == "PNG"):  # Pillow itself makes all above 255 white
        values = np.asarray(upright).astype(np.float32)
        upright = Image.fromarray(np.floor(values / 257 + 0.5).astype(np.uint8))
    if upright.mode in ("I", "F"):
        raise OSError("its values are 32-bit numbers, and nothing says which of them is white; save it with 8 or 16 bits")
    opaque = on_white(upright)
    if opaque is None:
        return upright.convert("RGB")
    opaque.info[ON_WHITE] = True
    return opaque


def on_white(picture: Image.Image) -> Image.Image | None:
    """8-bit RGB with white behind it, weighted as the values are stored, like browsers do it; None where nothing shows through."""
    if not (picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info):
        return None
    front = picture.convert("RGBA")
    if front.getchannel("A").getextrema()[0] == 255:
        return None
    return Image.alpha_composite(Image.new("RGBA", front.size, "white"), front).convert("RGB")


def is_on_white(picture: Image.Image) -> bool:
    """Whether `rgb_of` has put this picture on white, whatever was cut out of it since."""
    return bool(picture.info.get(ON_WHITE))

"""A folder or zip of pictures as training data: checked at the start, cropped, mirrored and resized when drawn."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch
import torch.nn.functional as F
from PIL import ExifTags, Image
from torch import Tensor

from torch_utils.picture_file import opened_picture, rgb_of

from .errors import DataError
from .options import Options
from .processes import Draws, generator_for

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".tif", ".tiff")
MOST_CACHED_BYTES = 2 << 30
UPRIGHT = 4  # EXIF orientations beyond lie on their side
PART = 16  # pictures of a figure at a time


@dataclass(frozen=True)
class Entry:
    """One picture: its name, for messages, and how to open it."""

    name: str
    open: Callable[[], IO[bytes]]


def find(path: Path) -> list[Entry]:
    """The pictures in a folder (and below) or a zip, by name. Raises DataError if there are none."""
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
        entries = [Entry(str(p.relative_to(path)), lambda p=p: p.open("rb")) for p in files]
    elif path.is_file():
        entries = _in_zip(path)
    else:
        raise DataError(f"there is no folder or zip {str(path)!r}")
    if not entries:
        raise DataError(f"{str(path)!r} holds no pictures ({', '.join(SUFFIXES)})")
    return entries


def _in_zip(path: Path) -> list[Entry]:
    """The archive stays open: reading its list, which may be long, for each picture would take longer than the picture."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{str(path)!r} is neither a folder nor a zip: {error}") from error
    names = sorted(name for name in archive.namelist() if Path(name).suffix.lower() in SUFFIXES and not name.startswith("__MACOSX"))
    return [Entry(name, lambda name=name: _from_zip(archive, name)) for name in names]


def _from_zip(archive: zipfile.ZipFile, name: str) -> io.BytesIO:
    try:
        return io.BytesIO(archive.read(name))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise DataError(f"picture {name!r} in {archive.filename!r} cannot be read: {error}") from error


class Pictures:
    """Training pictures [N, 3, R, R] in [-1, 1], drawn by number: each epoch is a new permutation of all."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.resolution = options.resolution
        self.entries = find(Path(options.data))
        self.sizes = [self._size(entry) for entry in self.entries]
        self._check_sizes()
        self._cache: dict[int, Tensor] = {}
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))
        self._caches = sum(self._kept_bytes(size) for size in self.sizes) <= MOST_CACHED_BYTES
        if self._caches:
            for index in range(len(self.entries)):
                self.picture(index)  # a corrupt file is found now, not after hours

    def __len__(self) -> int:
        return len(self.entries)

    def batch(self, draws: Draws, start: int, seed: int) -> Tensor:
        """This process's rows of the batch that begins with the `start`-th picture ever shown."""
        drawn = zip(*self._drawn(draws, start, seed), strict=True)
        return torch.stack([self._prepared(self.picture(index), place) for index, place in drawn])

    def crops(self, draws: Draws, start: int, seed: int) -> Tensor:
        """The same rows as crops of `together` [N, 5], for `crops.resized`: which picture, side, left, top, whether it is mirrored."""
        found = []
        for index, place in zip(*self._drawn(draws, start, seed), strict=True):
            height, width = self.picture(index).shape[1:]
            crop = self._crop(height, width, place)
            found.append((index, *(crop or (height, 0, 0)), int(self._mirrors(place))))
        return torch.tensor(found)

    def together(self) -> Tensor | None:
        """All pictures [K, 3, H, W], uint8, or None where they have several sizes or are too large to be kept."""
        sizes = {tuple(picture.shape) for picture in self._cache.values()}
        return torch.stack([self._cache[index] for index in range(len(self))]) if self._caches and len(sizes) == 1 else None

    def _drawn(self, draws: Draws, start: int, seed: int) -> tuple[list[int], list[list[float]]]:
        """Which pictures are shown, and the four numbers of each crop."""
        places = torch.rand(draws.batch, 4, generator=draws.generator("crops"))
        rows = draws.processes.share(draws.batch)
        return [self._at(start + row, seed) for row in range(rows.start, rows.stop)], places[rows].tolist()

    def examples(self, count: int, seed: int = 0) -> Tensor:
        """Pictures for a grid, as training would draw them."""
        return torch.cat(list(self.parts(count, seed)))

    def parts(self, count: int, seed: int = 0) -> Iterator[Tensor]:
        """The same for a figure, a few at a time: large ones are not kept all at once."""
        places = torch.rand(count, 4, generator=generator_for(seed, "examples")).tolist()
        for rows in torch.arange(count).split(PART):
            yield torch.stack([self._prepared(self.picture(self._at(row, seed)), places[row]) for row in rows.tolist()])

    def picture(self, index: int) -> Tensor:
        """The whole picture [3, H, W], uint8, shrunk to at most twice what crops can use. Raises DataError naming a corrupt file."""
        held = self._cache.get(index)
        if held is not None:
            return held
        entry = self.entries[index]
        with self._opened(entry) as image:
            opened = rgb_of(image)
        size = self._kept_size(opened.size)
        if size != opened.size:
            opened = opened.resize(size, Image.Resampling.LANCZOS)
        pixels = torch.from_numpy(np.array(opened)).permute(2, 0, 1).contiguous()
        if self._caches:
            self._cache[index] = pixels
        return pixels

    def _size(self, entry: Entry) -> tuple[int, int]:
        with self._opened(entry) as image:
            # Only where cameras write it: asking a PNG means to decode it.
            turned = image.format in ("JPEG", "MPO") and image.getexif().get(ExifTags.Base.Orientation, 1) > UPRIGHT
            return (image.height, image.width) if turned else image.size

    @contextmanager
    def _opened(self, entry: Entry) -> Iterator[Image.Image]:
        """A picture to read; whatever is wrong with it becomes a DataError that names it."""
        try:
            with entry.open() as file, opened_picture(file) as image:
                yield image
        except OSError as error:
            raise DataError(f"picture {entry.name!r} in {self.options.data!r} is corrupt: {error}. Repair or remove it.") from error

    def _check_sizes(self) -> None:
        first = self.sizes[0]
        odd = [i for i, size in enumerate(self.sizes) if size != first]
        if odd and not self.options.mixed_sizes:
            others = f" and {len(odd) - 1} others differ" if len(odd) > 1 else ""
            raise DataError(
                f"the pictures have mixed sizes: {self.entries[0].name!r} has {first[0]}x{first[1]}, {self.entries[odd[0]].name!r} "
                f"{self.sizes[odd[0]][0]}x{self.sizes[odd[0]][1]}{others}. --mixed-sizes accepts that."
            )
        for entry, (width, height) in zip(self.entries, self.sizes):
            if min(width, height) < self.resolution:
                raise DataError(f"picture {entry.name!r} has {width}x{height}, less than --resolution {self.resolution}")
            if self.options.crop is None and width != height:
                raise DataError(f"picture {entry.name!r} has {width}x{height}: it is not square. --crop 1 takes random squares from it.")

    def _kept_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Shrunk so that the smallest crop still has twice the resolution; never enlarged."""
        factor = min(1.0, 2 * self.resolution / ((self.options.crop or 1) * min(size)))
        return (max(self.resolution, round(size[0] * factor)), max(self.resolution, round(size[1] * factor)))

    def _kept_bytes(self, size: tuple[int, int]) -> int:
        width, height = self._kept_size(size)
        return 3 * width * height

    def _at(self, number: int, seed: int) -> int:
        """The picture shown as the `number`-th ever."""
        epoch, place = divmod(number, len(self.entries))
        order = self._order  # may be another's meanwhile: two threads draw
        if order[0] != epoch:
            self._order = order = (epoch, torch.randperm(len(self.entries), generator=generator_for(seed, "order", epoch)))
        return int(order[1][place])

    def _crop(self, height: int, width: int, place: list[float]) -> tuple[int, int, int] | None:
        """Side, left and top of a crop; None for the whole picture."""
        if self.options.crop is None:
            return None
        side = min(height, width)
        side = max(self.resolution, round(side * (self.options.crop + (1 - self.options.crop) * place[0])))
        side = min(side, height, width)
        return side, int(place[1] * (width - side + 1)), int(place[2] * (height - side + 1))

    def _mirrors(self, place: list[float]) -> bool:
        return self.options.x_flip and place[3] < 0.5

    def _prepared(self, pixels: Tensor, place: list[float]) -> Tensor:
        """Crop, mirror, resize; `place` are four numbers in [0, 1): size, x, y, mirroring."""
        if crop := self._crop(pixels.shape[1], pixels.shape[2], place):
            side, left, top = crop
            pixels = pixels[:, top : top + side, left : left + side]
        if self._mirrors(place):
            pixels = pixels.flip(2)
        values = pixels.float() / 127.5 - 1
        if values.shape[1:] == (self.resolution, self.resolution):
            return values
        resized = F.interpolate(values[None], (self.resolution, self.resolution), mode="bilinear", antialias=True, align_corners=False)
        return resized[0].clamp(-1, 1)

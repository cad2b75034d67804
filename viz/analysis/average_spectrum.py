"""Average power spectra of networks and of folders of pictures: one estimator, progressive, for the window and the command line.

The published estimator whitens pictures in 0..255 units with the mean and deviation of their set, windows them by a Kaiser window of unit
energy, pads them with zeros to `interp` times their size, and averages |FFT|^2 over pictures and channels. Mean and deviation are known
only at the end: |FFT((x - m) w)|^2 is a quadratic in m, so three sums are kept, and the whitening is applied to them at any time.

Torch is imported inside functions. Source: Karras et al. 2021, figure 7 and appendix.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from networks.measures.patience import Stop, synthesized
from torch_utils.picture_file import is_on_white, opened_picture, rgb_of
from viz.errors import CommandError
from viz.latent_file import check_members

if TYPE_CHECKING:
    import torch

    from torch_utils.spectra import Spectrum

BETA, INTERP = 8.0, 4  # Kaiser window, zero padding: as published
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
FLOOR = 1e-12
SEEDS = 2**32
MOST_CELLS = 512  # of the map that is shown


class SetPower:
    """Sums over pictures [C, H, W] in 0..255 units, of which mean, deviation and average whitened power come."""

    def __init__(self, *, beta: float = BETA, interp: int = INTERP) -> None:
        self.beta, self.interp, self.count = beta, interp, 0
        self._values, self._total, self._squares = 0, 0.0, 0.0
        self._shape: tuple[int, int] | None = None
        self._power: Any = 0.0  # mean over channels of |X|^2
        self._amplitude: Any = 0.0  # mean over channels of X

    def add(self, picture: torch.Tensor) -> None:
        """Raises ValueError for a picture of another size than the first."""
        import torch

        x = picture.to("cpu" if picture.device.type == "mps" else picture.device, torch.float64)
        if self._shape is None:
            self._shape = (x.shape[-2], x.shape[-1])
            self._window = self._unit_window(x)
        if (x.shape[-2], x.shape[-1]) != self._shape:
            raise ValueError(f"a picture is {x.shape[-1]} x {x.shape[-2]}; the first was {self._shape[1]} x {self._shape[0]}")
        amplitude = self._transformed(x * self._window)
        self._power = self._power + torch.view_as_real(amplitude).square().sum(-1).mean(0)
        self._amplitude = self._amplitude + amplitude.mean(0)
        self._values += x.numel()
        self._total += float(x.sum())
        self._squares += float(x.square().sum())
        self.count += 1

    @property
    def mean(self) -> float:
        return self._total / self._values

    @property
    def std(self) -> float:
        return math.sqrt(max(0.0, self._squares / self._values - self.mean**2))

    def spectrum(self) -> Spectrum:
        """Average power relative to white noise of the set's deviation, centred. Raises ValueError where there is none."""
        import torch

        from torch_utils.spectra import Spectrum, frequencies

        if self.count == 0 or not self.std > 0:
            raise ValueError(f"{self.count} pictures with standard deviation {self.std if self.count else 0:g} have no spectrum")
        window = self._transformed(self._window)
        mixed = (self._amplitude / self.count * window.conj()).real
        power = self._power / self.count - 2 * self.mean * mixed + self.mean**2 * torch.view_as_real(window).square().sum(-1)
        power = (power / self.std**2).clamp_min(0)
        height, width = power.shape
        rate = width / self.interp
        return Spectrum(torch.fft.fftshift(power), frequencies(width, rate, like=power), frequencies(height, rate, like=power))

    def _unit_window(self, x: torch.Tensor) -> torch.Tensor:
        from torch_utils.spectra import kaiser

        window = kaiser(x.shape[-2], self.beta, like=x)[:, None] * kaiser(x.shape[-1], self.beta, like=x)
        return window / window.square().sum().sqrt()

    def _transformed(self, x: torch.Tensor) -> torch.Tensor:
        import torch

        return torch.fft.fft2(x, s=(x.shape[-2] * self.interp, x.shape[-1] * self.interp))


@dataclass(frozen=True, eq=False)
class Curves:
    """What is shown of an average spectrum: power in dB over cycles per image, 0 dB being white noise of the set's deviation.

    `axis0`: along x; `diagonal`: at 45 degrees; `radial`: mean over rings. `heat_db` [h, w], upwards at the top, goes to +-`edge` cycles
    per image, half the sampling rate.
    """

    label: str
    count: int
    mean: float
    std: float
    axis0: tuple[np.ndarray, np.ndarray]
    diagonal: tuple[np.ndarray, np.ndarray]
    radial: tuple[np.ndarray, np.ndarray]
    heat_db: np.ndarray
    edge: float

    @property
    def spans(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where the map begins and ends to the right and upwards: bins are as much left as right of their frequencies, and the
        first is at -`edge` while none is at `edge`."""
        half = 0.5 / INTERP
        half_y = half * self.heat_db.shape[1] / self.heat_db.shape[0]
        return (-self.edge - half, self.edge - half), (half_y - self.edge, half_y + self.edge)

    def heat_at(self, right: float, up: float) -> float | None:
        """dB of the map at a frequency; None beyond it."""
        (left, end), (bottom, top) = self.spans
        if not (left <= right < end and bottom < up <= top):
            return None
        height, width = self.heat_db.shape
        return float(self.heat_db[int((top - up) / (top - bottom) * height), int((right - left) / (end - left) * width)])

    def lines(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        return {"0°": self.axis0, "45°": self.diagonal, "radial": self.radial}


def curves(sums: SetPower, label: str) -> Curves:
    from torch_utils.spectra import radial_profile, slice_at

    found = sums.spectrum()
    levels = lambda pair: (pair[0].cpu().numpy(), decibels(pair[1].cpu().numpy()))  # noqa: E731
    heat = found.power
    cell = -(-max(heat.shape) // MOST_CELLS)
    height, width = (n // cell * cell for n in heat.shape)
    heat = heat[:height, :width].reshape(height // cell, cell, width // cell, cell).mean(dim=(1, 3))
    edge = float(-found.fx[0])
    radial = radial_profile(found, bins=max(1, round(edge)))
    return Curves(
        label, sums.count, sums.mean, sums.std, levels(slice_at(found, 0.0)), levels(slice_at(found, 0.125)), levels(radial),
        decibels(heat.cpu().numpy()).astype(np.float32), edge,
    )  # fmt: skip


def difference(a: Curves, b: Curves) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """A - B in dB at A's frequencies, as far as B's go."""
    lines = {}
    for (name, (x, y)), (u, v) in zip(a.lines().items(), b.lines().values(), strict=True):
        inside = (x >= u[0]) & (x <= u[-1])
        lines[name] = (x[inside], y[inside] - np.interp(x[inside], u, v))
    return lines


def decibels(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(power, FLOOR))


# ------------------------------------------------------------------------------------------------------------ sets


def check_seeds(first: int, num: int) -> None:
    """Raises CommandError where `num` seeds from `first` on go beyond the last."""
    if first + num > SEEDS:
        raise CommandError(f"{num} seeds from {first} on go beyond the last one, {SEEDS - 1}: begin at {SEEDS - num} or before")


def network_pictures(network: Any, *, num: int, seed: int = 0, stop: Stop | None = None) -> Iterator[torch.Tensor | None]:
    """Pictures [C, H, W] of seeds `seed`, `seed + 1`, ... without truncation, in whole numbers of 0..255 as in files.

    None whenever `stop()` interrupts. Raises CommandError where there are not so many seeds.
    """
    import torch

    from viz.stages.latent import draw_z

    check_seeds(seed, num)
    place = network.w_avg.device
    for index in range(num):
        z, c = (None if v is None else torch.from_numpy(v).to(place, torch.float32)[None]
                for v in draw_z(seed + index, network.z_dim, network.c_dim, -1))  # fmt: skip
        with torch.inference_mode():
            ws = network.map(z, c)
        picture = (yield from synthesized(network, ws, stop))[0]
        with torch.inference_mode():
            picture = (picture * 127.5 + 128).floor().clamp(0, 255)
        yield picture


def picture_files(folder: Path) -> tuple[Path, ...]:
    """The pictures of a folder, by name; none if it is no folder."""
    return tuple(sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)) if folder.is_dir() else ()


class FolderPictures:
    """Pictures [3, H, W] of these files; CommandError for one that cannot be read, or that has another size than the first.

    `label` names the folder, and says where transparent pictures were put on white.
    """

    def __init__(self, files: tuple[Path, ...]) -> None:
        self.files, self.label = files, files[0].absolute().parent.name

    def __iter__(self) -> Iterator[torch.Tensor]:
        import torch

        first: tuple[int, int] | None = None
        for path in self.files:
            try:
                with opened_picture(path) as image:
                    picture = rgb_of(image)
            except OSError as e:
                raise CommandError(f"{path.name} cannot be read as a picture: {e}") from e
            if is_on_white(picture):
                self.label = f"{path.absolute().parent.name} (on white where transparent)"
            pixels = np.array(picture)
            first = first or pixels.shape[:2]
            if pixels.shape[:2] != first:
                raise CommandError(f"{path.name} is {pixels.shape[1]} x {pixels.shape[0]}; the first picture is {first[1]} x {first[0]}")
            yield torch.from_numpy(pixels).permute(2, 0, 1)


def save_arrays(found: Curves) -> dict[str, Any]:
    """What a .npz file holds; `load_curves` reads it."""
    arrays: dict[str, Any] = {"heat_db": found.heat_db, "edge": np.array(found.edge), "label": np.array(found.label)}
    arrays |= {"count": np.array(found.count), "mean": np.array(found.mean), "std": np.array(found.std)}
    for name in ("axis0", "diagonal", "radial"):
        arrays[f"{name}_frequency"], arrays[f"{name}_db"] = getattr(found, name)
    return arrays


def load_curves(path: Path) -> Curves:
    """Raises CommandError if the file is not one of ours."""
    try:
        with path.open("rb") as source, np.load(source, allow_pickle=False) as file:
            check_members(file.zip)
            lines = {name: (file[f"{name}_frequency"], file[f"{name}_db"]) for name in ("axis0", "diagonal", "radial")}
            heat = file["heat_db"]
            if heat.ndim != 2 or any(x.ndim != 1 or x.shape != y.shape for x, y in lines.values()):
                raise ValueError("its arrays have other shapes")
            numbers = int(file["count"]), float(file["mean"]), float(file["std"])
            return Curves(str(file["label"]), *numbers, heat_db=heat, edge=float(file["edge"]), **lines)
    except FileNotFoundError as e:
        raise CommandError(f"{path.name}: there is no such file.") from e
    except Exception as e:  # the border to files: numpy, zlib and zipfile raise many things that they do not name
        raise CommandError(f"{path.name} is not a spectrum saved by this program: {e}") from e

"""The paper's ladder beside our own: what each rung changes, the published figures, and a table of what was measured here.

`python -m networks.ladder` builds, trains or loads the rungs, measures them and fills this table. The published
figures are of networks trained on FFHQ-U at 256 x 256 (Karras et al. 2021, figure 3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from networks.build import build
from networks.configs import rung
from networks.configs.ablations import ablated
from networks.generator import Generator
from networks.spec import GeneratorConfig

CONTRAST_SAMPLES = 16
CONTRAST = 0.5  # standard deviation that pictures of untrained networks are scaled to, about that of photographs in [-1, 1]


@dataclass(frozen=True)
class Line:
    """One rung (or ablation of one): its change, and the published figures in dB; None where the paper has none."""

    rung: str
    change: str
    fid: float | None = None
    eq_t: float | None = None
    eq_r: float | None = None
    ablation: str | None = None

    @property
    def name(self) -> str:
        return self.rung if self.ablation is None else f"{self.rung}, {self.ablation}"


LADDER = (
    Line("A", "StyleGAN2", 5.14),
    Line("B", "Fourier features", 4.79, 16.23, 10.81),
    Line("C", "no noise inputs", 4.54, 15.81, 10.84),
    Line("D", "simplified generator", 5.21, 19.47, 10.41),
    Line("E", "boundaries, upsampling", 6.02, 24.62, 10.97),
    Line("F", "filtered nonlinearities", 6.35, 30.60, 10.81),
    Line("G", "non-critical sampling", 4.78, 43.90, 10.84),
    Line("H", "transformed features", 4.64, 45.20, 10.61),
    Line("T", "flexible layers", 4.62, 63.01, 13.12),
    Line("R", "rotation equivariance", 4.50, 66.65, 40.48),
)
ABLATED = (
    *(
        Line("T", "", None, eq_t, None, name)
        for name, eq_t in (
            ("noise inputs", 24.46),
            ("no flexible layers", 45.20),
            ("fixed fourier features", 64.57),
            ("half capacity", 63.14),
            ("double capacity", 66.61),
            ("lanczos", 51.93),
            ("gaussian", 56.89),
        )
    ),
    Line("T", "", None, 61.90, 17.07, "p4"),
    *(
        Line("R", "", None, eq_t, eq_r, name)
        for name, eq_t, eq_r in (
            ("noise inputs", 26.71, 26.80),
            ("no flexible layers", 44.74, 22.52),
            ("fixed fourier features", 66.20, 41.77),
            ("half capacity", 63.08, 39.89),
            ("double capacity", 70.06, 42.51),
            ("lanczos", 57.70, 25.25),
            ("gaussian", 59.53, 39.43),
            ("n = 4", 57.49, 39.70),
            ("n = 8", 65.57, 42.09),
            ("m = 1", 39.96, 36.42),
            ("m = 4", 74.21, 40.97),
            ("f_t0 = 2^1.5", 51.10, 29.14),
            ("f_t0 = 2^3.1", 73.13, 41.63),
        )
    ),
)


@dataclass(frozen=True)
class Row:
    """What was measured of one network. `measured_db` goes by "eq_t", "eq_t_frac", "eq_r"; None where there is no grid to move.

    `card` is what its model card says of its training: PSNR against targets, a Fréchet distance.
    """

    line: Line
    parameters: int
    seconds_per_image: float
    measured_db: Mapping[str, float | None]
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def quality(self) -> dict[str, tuple[float | None, str]]:
        """Figures of the pictures by the head of their column, with how they are written."""
        psnr, frechet = self.card.get("psnr_db"), next((v for k, v in self.card.items() if _is_frechet(k)), None)
        return {"PSNR": (psnr, "{:.2f}"), "Fréchet": (frechet, "{:.3g}")}


def small_config(line: Line, resolution: int, *, capacity: float = 1 / 16) -> GeneratorConfig:
    """A line's configuration with narrow layers (`capacity` times the usual channels), small enough to try in a second."""
    config = rung(line.rung, resolution, z_dim=32, w_dim=32)
    base, most = (max(8, round(size * capacity)) for size in (config.channel_base, config.channel_max))
    config = replace(config, channel_base=base, channel_max=most)
    return config if line.ablation is None else ablated(config, line.ablation)


def untrained(line: Line, resolution: int, *, seed: int = 0, capacity: float = 1 / 16) -> Generator:
    """An untrained network of a line. Noise inputs, which start at strength 0, get strength 1/10: else they would do nothing."""
    network = build(small_config(line, resolution, capacity=capacity), seed=seed)
    for name, parameter in network.named_parameters():
        if name.endswith("noise_strength"):
            parameter.fill_(0.1)
    return network


@torch.inference_mode()
def contrast_db(network: Generator) -> float:
    """Contrast of a network's pictures against `CONTRAST`, in dB: what to add to its PSNR as if they had that contrast.

    The PSNR of equivariance counts errors against the range of pictures; those of an untrained network do not fill it.
    """
    z = torch.randn(CONTRAST_SAMPLES, network.z_dim, generator=torch.Generator().manual_seed(0))
    c = torch.eye(network.c_dim)[torch.arange(CONTRAST_SAMPLES) % network.c_dim] if network.c_dim else None
    pictures = network.synthesize(network.map(z, c))
    assert pictures is not None, "nothing supersedes it"
    return 20 * math.log10(float(pictures.var(dim=(2, 3)).mean().sqrt()) / CONTRAST)


def table(rows: Sequence[Row]) -> str:
    """The measured figures, and beside them the published ones of the same lines. Figures of pictures only where there are any."""
    width = max(24, *(len(row.line.name) + len(row.line.change) + 2 for row in rows)) if rows else 24
    quality = [name for name in ("PSNR", "Fréchet") if any(row.quality[name][0] is not None for row in rows)]
    measured = "".join(f"{name:>11}" for name in ("parameters", "ms/image", "EQ-T", "EQ-T_frac", "EQ-R", *quality))
    published = "".join(f"{name:>8}" for name in ("FID", "EQ-T", "EQ-R"))
    groups = f"{'':<{width}}{'measured here, dB':>{len(measured)}}   |{'in the paper':>{len(published)}}"
    lines = [groups, f"{'':<{width}}{measured}   |{published}", *(_text(row, width, quality) for row in rows)]
    labels = {value for row in rows for key, value in row.card.items() if key.endswith("_label")}
    return "\n".join([*lines, *(f"{label}." for label in sorted(labels))])


def _is_frechet(name: str) -> bool:
    return name.startswith("frechet_") and not name.endswith("_label")


def _text(row: Row, width: int, quality: Sequence[str]) -> str:
    line = row.line
    measured = "".join(f"{_number(row.measured_db.get(kind)):>11}" for kind in ("eq_t", "eq_t_frac", "eq_r"))
    shown = (row.quality[name] for name in quality)
    measured += "".join(f"{'—' if value is None else form.format(value):>11}" for value, form in shown)
    published = "".join(f"{_number(value):>8}" for value in (line.fid, line.eq_t, line.eq_r))
    name = f"{line.name}  {line.change}".rstrip()
    return f"{name:<{width}}{_size(row.parameters):>11}{1000 * row.seconds_per_image:>11.1f}{measured}   |{published}"


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}".replace("inf", "∞")


def _size(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} M" if parameters >= 1e6 else f"{parameters / 1e3:.0f} k"

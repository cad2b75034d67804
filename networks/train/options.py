"""All choices of a training run, as one immutable value; the command line is made from it.

A default of None means that it depends on other choices; `resolved` fills it in. Lengths of time are counted in images shown to the
discriminator (or, supervised, to the generator).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import Any

from networks.configs import rung
from networks.configs.ablations import ablated
from networks.spec import FLEXIBLE, STYLEGAN2, GeneratorConfig

from .errors import TrainingError

GLOBES = "globes:"
DISCRIMINATORS = ("stylegan2", "projected")
EXTRACTORS = ("none", "efficientnet-lite1", "torchscript:FILE")


def option(default: Any, group: str, text: str) -> Any:
    """A field with its help and the heading it stands under."""
    return field(default=default, metadata={"group": group, "help": text})


@dataclass(frozen=True)
class Options:
    """See the help of each field."""

    data: str = option(MISSING, "data", "folder or zip of pictures, or globes:MAP.jpg for globes rendered from an equirectangular map")
    crop: float | None = option(None, "data", "random square crops, from this share of the shorter side up to all of it (default: no crop)")
    x_flip: bool = option(False, "data", "mirror half of the pictures, left to right")
    mixed_sizes: bool = option(False, "data", "accept pictures of different sizes (otherwise they are an error)")
    map_width: int = option(384, "data", "globes: columns of the map that is rendered")
    moves: float | None = option(None, "data", "globes: share of input and target rotated and moved at random (default: 0.75; A: 0)")
    data_name: str | None = option(None, "data", "what the model card calls the data (default: the name of the folder or file)")
    licence: str = option("not stated", "data", "licence of the data, for the model card")

    config: str = option("T", "network", "rung of the ladder: A to H, T or R")
    ablations: str = option("", "network", 'ablations of the rung, separated by commas, for example "half capacity,gaussian"')
    resolution: int = option(64, "network", "width and height of the pictures, a power of two")
    z_dim: int | None = option(None, "network", "numbers in a latent (default: 512; globes: 16)")
    w_dim: int | None = option(None, "network", "width of the mapping network (default: 512; globes: 128)")
    channel_base: int | None = option(None, "network", "channels at all resolutions, times the cutoff and 2 (default: the rung's)")
    channel_max: int | None = option(None, "network", "most channels of a layer (default: the rung's)")
    num_layers: int | None = option(None, "network", "T and R: layers before ToRGB (default: 14)")
    early_margin: int | None = option(None, "network", "margin in samples at first; less is faster (default: the rung's margin throughout)")
    early_part: float = option(0.75, "network", "share of the images with the early margin")

    out: str = option("run", "run", "folder for checkpoints, snapshots, sample grids and log.jsonl")
    images: int = option(1_000_000, "run", "images to show in all")
    batch: int | None = option(None, "run", "images a step, over all processes (default: 32; globes: 8)")
    seed: int = option(0, "run", "decides weights, order and all draws: the same seed gives the same run")
    device: str = option("auto", "run", "cpu, cuda, or auto")
    half: bool = option(True, "run", "on a GPU, compute the highest resolutions in float16")
    graph: bool = option(True, "run", "on one GPU, replay the computations of a step as CUDA graphs")
    snapshot_every: int | None = option(None, "run", "images between checkpoints, snapshots and sample grids (default: a 20th of all)")
    log_every: int | None = option(None, "run", "images between lines of the log (default: a 200th of all)")
    part_mb: float | None = option(None, "run", "write the checkpoint in parts of at most so many MB, to be carried (default: one file)")
    keep_snapshots: bool = option(False, "run", "keep a snapshot of each stage instead of the newest only")

    lr_g: float | None = option(None, "optimisation", "learning rate of the generator (default: 0.0025; A to D: 0.002; globes: 0.015)")
    lr_d: float | None = option(None, "optimisation", "learning rate of the discriminator (default: 0.002; projected: 0.0005)")
    mapping_lr: float | None = option(None, "optimisation", "the mapping network's rate, times lr_g (default: 1; globes: 100)")
    hold: float = option(0.35, "optimisation", "globes: share of the images before the learning rate falls, as a cosine, to a hundredth")
    style_init: float | None = option(None, "optimisation", "scale of the styles' weights at the start (default: 1; globes: 0.2)")
    ema_half_life: float | None = option(None, "optimisation", "half-life in images of the averaged generator (default: 312.5 batches)")
    ema_rampup: float = option(0.05, "optimisation", "the averaged generator's half-life is at most this share of the images so far")
    magnitude_half_life: float | None = option(None, "optimisation", "half-life of running magnitudes (default: 20000; globes: 500)")

    gamma: float | None = option(
        None, "losses", "weight of the R1 penalty (default: 2 at 256 pixels, by the square; A to C: half; projected: 0)"
    )
    r1_every: int = option(16, "losses", "steps between R1 penalties, which then count as often")
    style_mixing: float | None = option(None, "losses", "probability of styles from two latents (default: 0.9 for A to C, else 0)")
    path_length: float | None = option(None, "losses", "weight of path length regularisation (default: 2 for A to C, else 0)")
    path_every: int = option(4, "losses", "steps between path length penalties")
    blur: float | None = option(None, "losses", "first sigma, in pixels, of the early blur (default: 10 at 256 pixels, R only)")
    blur_images: int | None = option(None, "losses", "images until the blur is gone (default: 200000, but at most a sixth of all)")

    discriminator: str = option("stylegan2", "discriminator", f"one of {', '.join(DISCRIMINATORS)}; projected needs the extra `train`")
    d_channel_base: int = option(32768, "discriminator", "channels at all resolutions, times the resolution")
    d_channel_max: int = option(512, "discriminator", "most channels of a layer")
    group: int = option(4, "discriminator", "samples whose deviation is compared")
    augment: str = option("none", "discriminator", "none, ada (adaptive), or a fixed probability")
    ada_target: float = option(0.6, "discriminator", "mean sign of the discriminator's answer to real pictures that p is adjusted for")
    ada_images: int = option(500_000, "discriminator", "images that p takes from 0 to 1 (100000 for small data)")

    frechet: str = option("none", "figures", f"features for Fréchet distances: {', '.join(EXTRACTORS)}")
    frechet_images: int = option(2000, "figures", "pictures of each kind for a Fréchet distance")

    def __post_init__(self) -> None:
        for names, fits, allowed in _BOUNDS:
            for name in names:
                _require(getattr(self, name) is None or fits(getattr(self, name)), name, getattr(self, name), allowed)
        _require(self.crop is None or 0 < self.crop <= 1, "crop", self.crop, "above 0 and at most 1")
        _require(self.discriminator in DISCRIMINATORS, "discriminator", self.discriminator, f"one of {', '.join(DISCRIMINATORS)}")
        _require(self.augment in ("none", "ada") or _is_probability(self.augment), "augment", self.augment, "none, ada, or from 0 to 1")
        _require(not (self.moves and self.config.upper() == "A"), "moves", self.moves, "0 for A, which has no input grid to move")
        known = self.frechet in EXTRACTORS[:2] or self.frechet.startswith("torchscript:")
        _require(known, "frechet", self.frechet, f"one of {', '.join(EXTRACTORS)}")

    @property
    def supervised(self) -> bool:
        """Whether the generator is fitted to rendered globes, without a discriminator."""
        return self.data.startswith(GLOBES)

    @property
    def generator(self) -> GeneratorConfig:
        """The configuration of the network at the end of training. Raises ConfigError."""
        chosen = {"z_dim": self.z_dim or (16 if self.supervised else 512), "w_dim": self.w_dim or (128 if self.supervised else 512)}
        named = {name: getattr(self, name) for name in ("channel_base", "channel_max", "num_layers") if getattr(self, name) is not None}
        config = rung(self.config, self.resolution, **chosen, **named)
        return ablated(config, *(name.strip() for name in self.ablations.split(",") if name.strip()))

    def generator_at(self, images: int) -> GeneratorConfig:
        """The configuration after so many images: the early margin comes first."""
        config = self.generator
        has_margin = config.family != STYLEGAN2 and config.margin_size > 0
        early = has_margin and self.early_margin is not None and images < self.early_part * self.images
        return replace(config, margin_size=self.early_margin) if early else config

    def resolved(self) -> Options:
        """With every None that depends on other choices filled in."""
        simple = self.config.upper() in "ABC"
        batch = self.batch or (8 if self.supervised else 32)
        scale = (self.resolution / 256) ** 2
        defaults: dict[str, Any] = {
            "batch": batch,
            "snapshot_every": max(batch, self.images // 20),
            "log_every": max(batch, self.images // 200),
            "lr_g": 0.015 if self.supervised else 0.002 if self.config.upper() in "ABCD" else 0.0025,
            "lr_d": 0.0005 if self.discriminator == "projected" else 0.002,
            "mapping_lr": 100.0 if self.supervised else 1.0,
            "style_init": 0.2 if self.supervised else 1.0,
            "ema_half_life": 312.5 * batch,
            "magnitude_half_life": 500.0 if self.supervised else 20_000.0,
            "gamma": 0.0 if self.discriminator == "projected" else (1 if simple else 2) * scale,
            "style_mixing": 0.9 if simple and not self.supervised else 0.0,
            "path_length": 2.0 if simple and not self.supervised else 0.0,
            "blur": 10 * self.resolution / 256 if self.config.upper() == "R" else 0.0,
            "blur_images": max(1, min(200_000, self.images // 6)),
            "moves": 0.0 if self.config.upper() == "A" else 0.75,
            "data_name": self.data.removeprefix(GLOBES).rstrip("/").rpartition("/")[2],
        }
        return replace(self, **{name: value for name, value in defaults.items() if getattr(self, name) is None})


_LEARNT = ("lr_g", "lr_d", "mapping_lr", "style_init", "ema_half_life", "ema_rampup", "magnitude_half_life")
_COUNTED = ("images", "resolution", "map_width", "batch", "snapshot_every", "log_every", "blur_images", "ada_images", "frechet_images")
_OF_D = ("d_channel_base", "d_channel_max", "group")
_BOUNDS: tuple[tuple[tuple[str, ...], Callable[[float], bool], str], ...] = (  # of what is given
    ((*_LEARNT, *_COUNTED, *_OF_D, "r1_every", "path_every", "part_mb"), lambda value: value > 0, "above 0"),
    (("gamma", "path_length", "blur", "early_margin"), lambda value: value >= 0, "at least 0"),
    (("ada_target",), math.isfinite, "a finite number"),  # beyond -1 and 1, which signs stay within, p only rises or only falls
    (("moves", "hold", "early_part", "style_mixing"), lambda value: 0 <= value <= 1, "from 0 to 1"),
)


def chooses_layers(config: GeneratorConfig) -> bool:
    """Whether the number of layers is a choice, as for T and R; that of the others follows from the resolution."""
    return config.family != STYLEGAN2 and config.layer_rule == FLEXIBLE


def option_fields() -> tuple[Field[Any], ...]:
    """The fields in the order of the help."""
    return fields(Options)


def _is_probability(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise TrainingError(f"--{name.replace('_', '-')} is {value!r}, but must be {allowed}")

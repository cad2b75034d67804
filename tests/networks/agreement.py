"""How far the networks are from the golden arrays: `python -m tests.networks.agreement` prints a table.

Errors are the largest absolute difference of an array, divided by the golden array's largest magnitude.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from networks.build import build
from networks.configs import rung
from networks.generator import Generator
from networks.spec import GeneratorConfig, MappingConfig
from tests.golden.fill import fill

GOLDEN = Path(__file__).parents[1] / "golden"
TINY = ("tiny_t", "tiny_t_cond", "tiny_r", "tiny_sg2", "tiny_sg2_resnet_cond", "tiny_sg2_orig")
TOLERANCE = 1e-4
FORWARD_POSES = {"translate": (0.0, 0.0625, -0.03125), "rotate": (0.37, 0.0, 0.0), "both": (-1.1, 0.1, 0.05)}
_RENAMED = {"zdim": "z_dim", "wdim": "w_dim", "cdim": "c_dim"}


@dataclass(frozen=True)
class Agreement:
    """One array's largest error, as a part of the golden array's largest magnitude."""

    network: str
    array: str
    error: float


def golden_arrays(name: str) -> dict[str, np.ndarray]:
    """The arrays of `<name>.npz`."""
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        return dict(arrays)


def tiny_config(name: str) -> GeneratorConfig:
    """The configuration that `<name>.json` describes."""
    described = json.loads((GOLDEN / f"{name}.json").read_text())
    overrides: dict[str, Any] = {_RENAMED.get(str(key), str(key)): value for key, value in described["kwargs"].items()}
    if "map_layers" in overrides:
        overrides["mapping"] = MappingConfig(num_layers=overrides.pop("map_layers"))
    return rung({"t": "T", "r": "R", "sg2": "A"}[described["kind"]], described["img_resolution"], **overrides)


def tiny(name: str) -> Generator:
    """The tiny network with the golden weights."""
    network = build(tiny_config(name), seed=None)
    fill(network)
    return network


def forward_matrix(angle: float, x: float, y: float) -> np.ndarray:
    """The forward matrix of a rotation in radians, then a translation in image widths."""
    return np.array([[math.cos(angle), math.sin(angle), x], [-math.sin(angle), math.cos(angle), y], [0, 0, 1]])


def outputs(network: Generator, arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, torch.Tensor]]:
    """Each golden array's name with what the network gives for it."""
    z, c = torch.from_numpy(arrays["z"]), torch.from_numpy(arrays["c"])
    ws = network.map(z, c)
    yield "ws", ws
    yield "ws_psi07_cut5", network.map(z, c, psi=0.7, cutoff=5)
    yield "image", synthesized(network, ws)
    for name in arrays:
        kind, _, rest = name.partition("_")
        if kind == "act":
            yield name, synthesized(network, ws[:1], tap=rest)[0]
        elif name == "image_noise_none":
            yield name, synthesized(network, ws, noise="none")
        elif kind == "image" and rest in FORWARD_POSES:
            yield name, synthesized(network, ws[:1], pose=forward_matrix(*FORWARD_POSES[rest]))


def synthesized(network: Generator, ws: torch.Tensor, **view: Any) -> torch.Tensor:
    """`network.synthesize`, which gives an answer always where nothing supersedes it."""
    answer = network.synthesize(ws, **view)
    assert answer is not None
    return answer


@torch.inference_mode()
def agreements(name: str) -> list[Agreement]:
    """The error of every golden array of one tiny network."""
    arrays = golden_arrays(name)
    return [Agreement(name, array, relative_error(value.numpy(), arrays[array])) for array, value in outputs(tiny(name), arrays)]


def relative_error(value: np.ndarray, golden: np.ndarray) -> float:
    """Largest absolute difference over the golden array's largest magnitude; infinite where shapes or numbers are off."""
    if value.shape != golden.shape or not np.isfinite(value).all():
        return math.inf
    return float(np.abs(value - golden).max() / np.abs(golden).max())


def main() -> None:
    """Print the largest error of each network, and where it is."""
    print(f"{'network':<22} {'arrays':>6} {'largest error':>14}  at")
    for name in TINY:
        found = agreements(name)
        worst = max(found, key=lambda agreement: agreement.error)
        print(f"{name:<22} {len(found):>6} {worst.error:>14.1e}  {worst.array}")


if __name__ == "__main__":
    main()

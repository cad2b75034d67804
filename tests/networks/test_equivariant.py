"""An untrained generator already commutes with moving its input, to the quality of its filters, and naive filters break it.

Nothing is learned here: this is the signal processing alone. The moved activation is compared with the unmoved one, moved
by a long windowed sinc; samples near the border are left out. Figures are in dB of the activation's standard deviation.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from networks.build import build
from networks.configs import rung
from networks.generator import Generator
from tests.networks.agreement import forward_matrix, synthesized

HALF_SUPPORT = 16  # samples on each side that the interpolating sinc reaches
CHANNELS = 4
LAYER = 5  # of the taps: L4, 84 samples at a rate of 64, not critically sampled


def small(name: str, **changes: object) -> Generator:
    """An untrained 64-pixel network with all that matters: two changes of rate before the layer that is looked at."""
    return build(rung(name, 64, channel_base=1024, channel_max=16, num_layers=8, z_dim=8, w_dim=8, **changes), seed=1)


def interpolation(positions: np.ndarray, size: int) -> np.ndarray:
    """Weights [positions, size] that read a signal of `size` samples at fractional positions: a Kaiser-windowed sinc."""
    distance = positions.reshape(-1, 1) - np.arange(size)
    window = np.i0(8 * np.sqrt(np.clip(1 - (distance / HALF_SUPPORT) ** 2, 0, 1))) / np.i0(8)
    return np.where(np.abs(distance) < HALF_SUPPORT, np.sinc(distance) * window, 0.0)


def moved(x: np.ndarray, forward: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """x [C, H, W] moved by a forward matrix, and the mask [H, W] of samples that were read from inside."""
    _, height, width = x.shape
    row, column = np.mgrid[:height, :width]
    image = np.stack([(column + 0.5 - width / 2) / rate, (row + 0.5 - height / 2) / rate, np.ones_like(row, dtype=float)], axis=-1)
    source = image @ np.linalg.inv(forward).T
    source_x, source_y = source[..., 0] * rate + width / 2 - 0.5, source[..., 1] * rate + height / 2 - 0.5
    values = np.einsum("pi,cij,pj->cp", interpolation(source_y, height), x, interpolation(source_x, width), optimize=True)
    inside = [(s >= HALF_SUPPORT) & (s <= size - 1 - HALF_SUPPORT) for s, size in ((source_x, width), (source_y, height))]
    return values.reshape(x.shape), inside[0] & inside[1]


@torch.inference_mode()
def equivariance_db(network: Generator, forward: np.ndarray) -> float:
    """Signal over difference between "move, then generate" and "generate, then move", in dB."""
    tap = network.taps[LAYER]
    ws = network.map(torch.from_numpy(np.random.RandomState(0).randn(1, network.z_dim)))
    still = synthesized(network, ws, learned_pose=(1, 0, 0, 0), tap=tap.name)[0, :CHANNELS].double().numpy()
    posed = synthesized(network, ws, learned_pose=(1, 0, 0, 0), pose=forward, tap=tap.name)[0, :CHANNELS].double().numpy()
    expected, inside = moved(still, forward, tap.sampling_rate)
    assert inside.mean() > 0.2
    return 20 * math.log10(still[:, inside].std() / math.sqrt(np.square(posed - expected)[:, inside].mean()))


SHIFT = forward_matrix(0, 0.4 / 64, -0.3 / 64)  # less than a pixel
TURN = forward_matrix(0.7, 0.05, 0)


@pytest.mark.parametrize("name", ["T", "R"])
def test_subpixel_shift(name: str) -> None:
    assert equivariance_db(small(name), SHIFT) > 58


@pytest.mark.parametrize(
    ("changes", "at_most_db"), [({"window": "nearest"}, 25), ({"window": "lanczos"}, 50), ({"lrelu_upsampling": 1}, 50)]
)
def test_subpixel_shift_with_naive_filters(changes: dict, at_most_db: float) -> None:
    """Box filters alias; Lanczos leaks; without upsampling around it the nonlinearity aliases."""
    assert equivariance_db(small("T", **changes), SHIFT) < at_most_db


def test_more_upsampling_around_the_nonlinearity_helps() -> None:
    assert equivariance_db(small("T", lrelu_upsampling=4), SHIFT) > equivariance_db(small("T"), SHIFT) + 3


def test_rotation_is_what_r_adds() -> None:
    assert equivariance_db(small("R"), TURN) > 50
    assert equivariance_db(small("T"), TURN) < 15


def test_quarter_turn_of_r_is_exact() -> None:
    network = small("R")
    ws = network.map(torch.zeros(1, 8))
    still = synthesized(network, ws, learned_pose=(1, 0, 0, 0))
    turned = synthesized(network, ws, learned_pose=(1, 0, 0, 0), pose=((0, 1, 0), (-1, 0, 0), (0, 0, 1)))
    difference = float((turned - still.rot90(1, (2, 3))).abs().max() / still.abs().max())
    assert difference < 1e-4, "positive angles turn counter-clockwise on screen"

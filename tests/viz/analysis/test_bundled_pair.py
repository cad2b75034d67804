"""What the sticking scores are for: of bundled networks fitted to the same pictures, StyleGAN2 (rung B) sticks and R does not.

The average over neighbouring latents says nothing about this trio (they were fitted by regression, so all have their detail in the
same places); the average over shifts of the pose and the flow of detail do. Once there is a pair of GANs ("name-a-128" and
"name-r-128"), its averages over latents are compared too.
"""

import numpy as np
import pytest
import torch

from networks.loading import catalogue, load
from viz.analysis.flow import flow
from viz.analysis.sticking import Jitter, average, shifted
from viz.stages.latent import draw_z
from viz.state import Flow

SEEDS, PICTURES, RADIUS, REACH_PX = range(3), 32, 0.2, 2.0
CLEARLY = 0.1  # of the detail
FINE = 1 / 8  # of the resolution, in cycles per image


def pairs(config):
    """Names of bundled networks of this rung, and of R, that are alike but for the letter of the rung."""
    names = {entry.name: entry.config for entry in catalogue() if entry.kind == "bundled"}
    other = f"-{config.lower()}-"
    return [(name, twin) for name in names if names[name] == config and names.get(twin := name.replace(other, "-r-")) == "R"]


def latents(network):
    for seed in SEEDS:
        z, c = (None if v is None else torch.from_numpy(v).float()[None] for v in draw_z(seed, network.z_dim, network.c_dim, -1))
        yield network.map(z, c)


def kept_over_latents(network, ws):
    *_, last = average(network, ws, num=PICTURES, jitter=Jitter(RADIUS))
    return last.detail.score(FINE * network.img_resolution)


def kept_over_poses(network, ws):
    rate = network.img_resolution
    *_, last = average(network, ws, num=PICTURES, neighbour=lambda _: ws, pose=lambda i: shifted(np.eye(3), i, REACH_PX, rate))
    return last.detail.score(FINE * rate)


def attached(network, ws):
    *_, last = flow(network, ws, np.eye(3), Flow(num=4), {})
    return last.attached


def means(measure, names):
    networks = [load(name).network.eval() for name in names]
    return [float(np.mean([measure(network, ws) for ws in latents(network)])) for network in networks]


def test_there_is_a_pair():
    assert ("globe-still-b-64", "globe-still-r-64") in pairs("B")


@pytest.mark.slow
@pytest.mark.parametrize("names", pairs("B"))
def test_stylegan2_keeps_its_detail_on_the_pixels_while_the_pose_moves(names):
    """Half of a pixel's motion, and shifts of two: far from each other, not by chance."""
    b, r = means(kept_over_poses, names)
    assert b > 0.6 and r < 0.1
    b, r = means(attached, names)
    assert b < 0.3 and r > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("names", pairs("A"))
def test_stylegan2_keeps_clearly_more_of_its_detail_over_latents(names):
    a, r = means(kept_over_latents, names)
    assert a > r + CLEARLY

"""What the sticking scores are for: of bundled networks fitted to the same pictures, StyleGAN2 (rung B) sticks and R does not.

Over shifts of the pose the two are far apart, and so is the flow of detail. Over neighbouring latents they differ less, since both show
what they were fitted to; every picture must have the pose of its own latent, and only the finest octave counts.
"""

import numpy as np
import pytest
import torch

from networks.loading import catalogue, load
from viz.analysis.flow import flow
from viz.analysis.sticking import Jitter, average, shifted
from viz.analysis.sticking_average import FINE
from viz.stages.latent import draw_z
from viz.state import Flow, Sticking

SEEDS, PICTURES, REACH_PX = range(3), 32, 2.0
CLEARLY = 0.08  # of the detail


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
    options = Sticking()
    *_, last = average(network, ws, num=PICTURES, jitter=Jitter(options.strength, options.seed, options.hold_pose))
    return last.detail.score(FINE[options.space] * network.img_resolution)


def kept_over_poses(network, ws):
    rate = network.img_resolution
    *_, last = average(network, ws, num=PICTURES, neighbour=lambda _: ws, pose=lambda i: shifted(np.eye(3), i, REACH_PX, rate))
    return last.detail.score(FINE["pose"] * rate)


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
@pytest.mark.parametrize("names", pairs("B"))
def test_stylegan2_keeps_clearly_more_of_its_detail_over_latents(names):
    """As the panel and `sticking` measure unless told otherwise: twice as much, and by a margin."""
    b, r = means(kept_over_latents, names)
    assert b > r + CLEARLY and b > 1.6 * r

"""What the sticking score is for: of two bundled networks trained on the same pictures, StyleGAN2 sticks more than R.

A pair are two bundled networks of one resolution whose names begin alike ("name-sg2-128", "name-r-128"). While there is none, the
score is tested on gratings that stick, or move, by construction (`test_sticking.py`).
"""

import numpy as np
import pytest
import torch

from networks.loading import catalogue, load
from viz.analysis.sticking import Jitter, average
from viz.stages.latent import draw_z

SEEDS, PICTURES, RADIUS = range(6), 32, 0.2
CLEARLY = 0.1  # of the detail
FINE = 1 / 8  # of the resolution, in cycles per image


def pairs():
    """(StyleGAN2, R) by name."""
    entries = [entry for entry in catalogue() if entry.kind == "bundled"]
    first = lambda entry: (entry.name.split("-")[0], entry.resolution)  # noqa: E731
    return [(a.name, r.name) for a in entries for r in entries if (a.config, r.config) == ("A", "R") and first(a) == first(r)]


def detail_kept(name):
    """The mean score over some latents, at the network's own pose."""
    network = load(name).network.eval()
    scores = []
    for seed in SEEDS:
        z, c = (None if v is None else torch.from_numpy(v).float()[None] for v in draw_z(seed, network.z_dim, network.c_dim, -1))
        *_, last = average(network, network.map(z, c), num=PICTURES, jitter=Jitter(RADIUS))
        scores.append(last.detail.score(FINE * network.img_resolution))
    return float(np.mean(scores))


@pytest.mark.slow
@pytest.mark.parametrize(("sg2", "r"), pairs())
def test_stylegan2_sticks_clearly_more(sg2, r):
    assert detail_kept(sg2) > detail_kept(r) + CLEARLY


@pytest.mark.slow
def test_the_bundled_r_is_measured():
    """The score itself, on the network that is there: some detail stays (edges move little), much goes."""
    assert 0.05 < detail_kept("globe-r-64") < 0.9

"""Networks whose equivariance is known on paper: small classes with the interface that measurements need."""

import numpy as np
import torch

from networks.measures.comparison import Difference, difference
from networks.spec import TapInfo


def equivariance_of(network, ws, pose, conditions=None) -> Difference:
    """What the pose made, against the posed unposed picture, by the operators of the metric that fits it: as on paper."""
    base, moved = (network.synthesize(ws, pose=p, **(conditions or {}))[0] for p in (None, pose))
    return difference(base, moved, pose, sampling_rate=network.img_resolution)


class Painted:
    """Draws `paint(x, y)` of image coordinates; `follows` says whether the pose moves it. ws counts only through its first number."""

    z_dim, c_dim, w_dim, num_ws, img_channels = 4, 0, 4, 2, 1
    has_pose = True

    def __init__(self, paint, *, resolution=64, follows=True):
        self.paint, self.img_resolution, self.follows = paint, resolution, follows
        self.w_avg = torch.zeros(4)
        self.taps = (
            TapInfo("layer", 1, (resolution + 20, resolution + 20), float(resolution), "float32", None, 0),
            TapInfo("output", 1, (resolution, resolution), float(resolution), "float32", None, None),
        )

    def map(self, z, c=None, *, psi=1.0, cutoff=None):
        return z[:, None].repeat(1, self.num_ws, 1)

    def learned_pose(self, w):
        return torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(len(w), 1)

    def synthesize(self, ws, *, pose=None, tap=None, memo=None, learned_pose=None, **_):
        size = next(t.size[0] for t in self.taps if t.name == (tap or "output"))
        axis = (np.arange(size) + 0.5 - size / 2) / self.img_resolution
        inverse = np.eye(3) if pose is None or not self.follows else np.linalg.inv(np.asarray(pose))
        u, v = (row[0] * axis + row[1] * axis[:, None] + row[2] for row in inverse[:2])
        pictures = [np.broadcast_to(self.paint(u, v, float(w[0, 0])), (size, size)) for w in ws]
        return torch.from_numpy(np.stack(pictures)[:, None].astype(np.float32))


def waves(u, v, w=0.0):
    """Smooth: no frequency above 7 cycles per image."""
    return 0.4 * np.sin(2 * np.pi * (5 * u + 3 * v) + w) + 0.4 * np.cos(2 * np.pi * (7 * v - 2 * u))

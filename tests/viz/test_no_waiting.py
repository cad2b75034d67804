"""The stages of an ordinary frame put work into the GPU's stream and never wait for it, seen without a GPU.

The pipeline runs on a pretended one (`tests.torch_utils.pretended`). With a real one, `test_cuda_render.py` asks torch itself.
"""

import numpy as np
import pytest
import torch

import viz.pipeline
from networks.cuda_graph import Graphs
from networks.loading import load as load_network
from tests.networks.test_cuda_graph import Repeating
from tests.torch_utils.pretended import CUDA, Pretending, Waits, on_gpu
from tests.viz.test_cuda_render import REPLAYED, Cuda
from tests.viz.test_pipeline import GOLDEN, TINY_R
from viz.gpu.gpu import GpuWork
from viz.gpu.handover import DevicePicture
from viz.gpu.replay import Replays
from viz.pipeline import Pipeline
from viz.request import RenderRequest
from viz.stages import directions, load
from viz.state import Channels, Device, Direction, Directions, HeldRange, Latent, LearnedPose, Mixing, Pose, Tap

START = TINY_R.edit(Device, force_fp32=True).put(HeldRange("L3_52_16", (1, 2, 3), (0.5, 2.0, 4.0)))
VIEWS = ("__getitem__", "permute", "contiguous", "float")  # of a whole picture: no kernel
LAYER = "L3_52_16"


class Asking:
    """A pipeline whose network is on the pretended GPU, and one on the processor, for comparison."""

    def __init__(self, monkeypatch):
        Cuda(monkeypatch)
        monkeypatch.setattr(viz.pipeline, "cuda_device", lambda view: CUDA)  # which waits for no kernels of the processor
        loaded = load_network(str(GOLDEN / "tiny_r.pkl"))
        for module in loaded.network.modules():
            for held in (module._parameters, module._buffers):
                held.update({name: on_gpu(tensor) for name, tensor in held.items() if tensor is not None})
        self.pipeline, self.plain = Pipeline(), Pipeline(headless=True)
        self.pipeline.gpu = GpuWork(Replays(Graphs(Repeating())))
        facts = load.facts(loaded, CUDA)
        self.pipeline.networks._ready[load.load_key(TINY_R)] = load.Ready(loaded, loaded.network, facts, CUDA, "tiny_r")

    def ask(self, view):
        """The frame for this view, made without waiting; its picture and its numbers are those of the processor."""
        with Pretending() as pretending:
            frame = self.pipeline.render(RenderRequest(1, view))
        assert frame is not None and frame.error is None, frame
        expected = self.plain.render(RenderRequest(1, view.edit(Device, backend="reference")))
        assert expected is not None and expected.picture is not None and isinstance(frame.picture, DevicePicture)
        np.testing.assert_allclose(frame.picture.values, expected.picture.values, atol=2e-5)
        assert frame.statistics_shown.largest == pytest.approx(expected.statistics_shown.largest, abs=1e-4)
        for name in ("statistics_shown", "statistics_all"):
            there, here = getattr(frame, name), getattr(expected, name)
            assert (there.mean, there.std, there.max_abs) == pytest.approx((here.mean, here.std, here.max_abs), abs=1e-4)
        self.launches = pretending.launches
        return frame


@pytest.fixture
def asking(monkeypatch):
    return Asking(monkeypatch)


ORDINARY = {
    "one channel of the picture": ("", {"mode": "single", "first": 1}),
    "a layer": (LAYER, {"first": 4}),
    "chosen channels": (LAYER, {"triple": (7, 0, 3)}),
    "normalised": (LAYER, {"triple": (7, 0, 3), "normalize": True}),
    "held": (LAYER, {"triple": (3, 1, 2), "normalize": True}),
    "a sheet": (LAYER, {"mode": "sheet"}),
    "a phase": (LAYER, {"mode": "phase", "triple": (1, 5)}),
}


@pytest.mark.parametrize("case", ORDINARY)
def test_what_is_shown_waits_for_nothing(case, asking):
    layer, channels = ORDINARY[case]
    asking.ask(START.edit(Tap, layer=layer).edit(Channels, **channels))


def test_a_drag_waits_for_nothing(asking):
    for turns in (0.1, 0.2, 0.3):
        frame = asking.ask(START.edit(Pose, turns=turns))
    assert frame.path == REPLAYED
    view = START.edit(Mixing, seed=4, rows=(2, 3, 6)).edit(LearnedPose, mode="fixed", turns=0.1)
    for x in (0.3, 0.6, 5.5):
        frame = asking.ask(view.edit(Latent, x=x))
    assert frame.path == REPLAYED


def test_moving_along_known_components_waits_for_nothing(asking, monkeypatch):
    components = directions.principal(np.random.default_rng(0).normal(size=(100, 16)))
    monkeypatch.setattr(directions, "components_of", lambda run, ready: components)
    view = START.put(Directions((Direction(0, 1.0), Direction(2, -0.5, 2, 5)))).edit(Mixing, seed=4, rows=(2, 3), amount=0.5)
    for x in (0.3, 0.6, 5.5):
        frame = asking.ask(view.edit(Latent, x=x))
    assert frame.path == REPLAYED


def test_little_follows_a_replay(asking):
    """A copy of the answer, its statistics in two sums over it, and their way to the processor: each further kernel costs microseconds."""
    for turns in (0.1, 0.2, 0.3):
        asking.ask(START.edit(Pose, turns=turns))
    last = len(asking.launches) - asking.launches[::-1].index("clone")
    assert [name for name in asking.launches[last:] if name not in VIEWS] == ["std_mean", "aminmax", "stack", "to", "to"]


@pytest.mark.parametrize(
    "waiting",
    [
        lambda x: x[[0, 2]],
        lambda x: x[:, [0, 2]],
        lambda x: x[x > 0],
        lambda x: x[torch.arange(2)],
        lambda x: float(x.sum()),
        lambda x: x.sum().item(),
        lambda x: x.cpu(),
        lambda x: x.to("cpu"),
        lambda x: x.new_tensor([1.0]),
        lambda x: torch.tensor([1.0], device=x.device),
        lambda x: torch.ones(3).to(x.device),
        lambda x: torch.ones(3).to(x.device, non_blocking=True),
        lambda x: x.copy_(torch.ones(3, 3)),
    ],
)
def test_waiting_is_seen(waiting):
    x = on_gpu(torch.ones(3, 3))
    with Pretending(), pytest.raises(Waits):
        waiting(x)

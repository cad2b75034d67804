"""The render thread on a GPU: which way pictures are made, one wait a frame, memory that runs out, values that stay on the device.

What can be seen without a GPU is seen without: recordings that repeat their work, streams and events that only count, planted errors.
"""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from networks.cuda_graph import Graphs
from networks.generator import Generator
from tests.networks.test_cuda_graph import Repeating
from tests.torch_utils.waiting import no_waiting
from tests.viz.test_pipeline import GOLDEN, TINY_R, TINY_SG2
from viz.gpu import gpu
from viz.gpu.gpu import GpuWork
from viz.gpu.handover import HELD, DevicePicture, DeviceValues, handover
from viz.gpu.later import Later, arrived
from viz.gpu.replay import Replays
from viz.memory import nbytes
from viz.pipeline import Pipeline
from viz.render_thread import RenderThread
from viz.request import RenderRequest
from viz.state import Channels, Device, Latent, Mixing, Noise, Pose, Source, Tap

on_gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")]
REPLAYED = "replayed as a CUDA graph"
DEADLINE_S = 60


class Asking:
    """A pipeline that treats the CPU as it treats a GPU, and one that does not, for comparison."""

    def __init__(self, recorder=None, view=TINY_R):
        self.recorder = Repeating() if recorder is None else recorder
        self.pipeline, self.plain = Pipeline(headless=True), Pipeline(headless=True)
        self.pipeline.gpu = GpuWork(Replays(Graphs(self.recorder), devices=("cpu",)))
        self.view = view

    def ask(self, view):
        self.view = view
        self.frame = self.pipeline.render(RenderRequest(1, view))
        assert self.frame.error is None, self.frame.error
        expected = self.plain.render(RenderRequest(1, view))
        assert np.array_equal(self.frame.picture.values, expected.picture.values)
        assert self.frame.statistics_all == expected.statistics_all
        return self.frame.path

    def edit(self, kind, **changes):
        return self.ask(self.view.edit(kind, **changes))


# ------------------------------------------------------------------------------------------ which way


def test_a_drag_is_recorded_at_its_second_picture_and_replayed_from_then_on():
    asking = Asking()
    assert "the next of this kind is recorded" in asking.ask(TINY_R)
    assert len(asking.frame.layers_ran) > 2
    for turns in (0.1, 0.2, 0.3):
        assert asking.edit(Pose, turns=turns) == REPLAYED
        assert asking.frame.layers_ran == ()
    assert asking.edit(Latent, x=0.4) == REPLAYED
    assert asking.recorder.recorded == 1
    assert asking.frame.memory_bytes > asking.pipeline.memory.used_bytes  # graphs are counted


def test_late_layers_run_from_the_memo_and_leave_no_graph():
    asking = Asking()
    asking.ask(TINY_R)
    last = asking.frame.network.num_ws - 1
    for seed in (5, 6, 7):
        assert "remembered" in asking.edit(Mixing, seed=seed, rows=(last,))
        assert len(asking.frame.layers_ran) == 2  # ToRGB and the scale
    assert asking.recorder.recorded == 0
    assert asking.edit(Mixing, seed=8, rows=(0, 1, 2)) == REPLAYED


def test_every_tap_has_its_own_graph():
    asking = Asking()
    asking.ask(TINY_R)
    taps = asking.frame.network.taps
    assert asking.edit(Pose, turns=0.1) == REPLAYED
    assert "the next of this kind" in asking.edit(Tap, layer=taps[3].name)
    assert asking.edit(Pose, turns=0.2) == REPLAYED
    assert asking.edit(Tap, layer="") == REPLAYED
    assert asking.recorder.recorded == 2


def test_noise_of_a_seed_and_kernels_chosen_by_hand_run_layer_by_layer():
    asking = Asking(view=TINY_SG2)
    asking.ask(TINY_SG2)
    assert "drawn on the processor" in asking.edit(Noise, mode="random", seed=3)
    asking.edit(Noise, mode="const")
    assert "chosen by hand" in asking.edit(Device, backend="reference")
    assert asking.recorder.recorded == 0


def test_what_cannot_be_recorded_is_computed_and_says_so():
    asking = Asking(Repeating(RuntimeError("operation not permitted when stream is capturing")))
    asking.ask(TINY_R)
    for turns in (0.1, 0.2):
        assert "no CUDA graph: RuntimeError: operation not permitted" in asking.edit(Pose, turns=turns)


def test_graphs_go_with_their_network():
    asking = Asking()
    for turns in (0.1, 0.2):
        asking.ask(TINY_R.edit(Pose, turns=turns))
    assert len(asking.pipeline.gpu.replays.graphs) == 1
    for name in ("tiny_t", "tiny_sg2", "tiny_t_cond"):
        asking.ask(TINY_R.put(Source(str(GOLDEN / f"{name}.pkl"))))
    assert len(asking.pipeline.gpu.replays.graphs) == 0


# ------------------------------------------------------------------------------------------ memory


@pytest.mark.parametrize("where", ["the steps", "the recording"])
def test_out_of_memory_is_said_and_the_next_request_is_tried(where, monkeypatch):
    asking = Asking()
    asking.ask(TINY_R)
    asking.edit(Pose, turns=0.1)
    if where == "the steps":
        monkeypatch.setattr(Generator, "synthesize", _raising)
        view = asking.view.edit(Tap, layer=asking.frame.network.taps[2].name)
    else:
        asking.edit(Tap, layer=asking.frame.network.taps[2].name)
        asking.recorder.fail = torch.OutOfMemoryError("planted")
        view = asking.view.edit(Pose, turns=0.3)
    frame = asking.pipeline.render(RenderRequest(2, view))
    assert frame.error.stage == "synthesis" and frame.error.message == "Out of memory."
    assert "planted" in frame.error.details
    assert len(asking.pipeline.memory) == 0 and len(asking.pipeline.gpu.replays.graphs) == 0
    monkeypatch.undo()
    asking.recorder.fail = None
    assert "the next of this kind is recorded" in asking.ask(view)


def _raising(*arguments, **options):
    raise torch.OutOfMemoryError("planted")


def test_what_was_being_computed_is_freed_before_memory_is_given_back(monkeypatch):
    """The error's traceback holds the failing stage's tensors; `empty_cache` would find them in use."""
    import weakref

    alive = []

    def failing(self, *arguments, **options):
        large = torch.zeros(1000)
        alive.append(weakref.ref(large))
        raise torch.OutOfMemoryError("planted")

    asking = Asking()
    asking.ask(TINY_R)
    monkeypatch.setattr(Generator, "synthesize", failing)
    monkeypatch.setattr(asking.pipeline.gpu, "give_back", lambda: alive.append(alive[0]()))
    asking.pipeline.render(RenderRequest(2, TINY_R.edit(Tap, layer=asking.frame.network.taps[2].name)))
    assert alive[1:] == [None]


def test_the_render_thread_lives_on_after_running_out_of_memory(monkeypatch):
    pipeline = Pipeline(headless=True)
    thread = RenderThread(make=lambda: pipeline)
    with monkeypatch.context() as planted:
        planted.setattr(Generator, "synthesize", _raising)
        thread.submit(TINY_R)
        assert thread.wait_idle(DEADLINE_S)
        assert thread.frame.error.message == "Out of memory."
    thread.submit(TINY_R)
    assert thread.wait_idle(DEADLINE_S)
    thread.close(DEADLINE_S)
    assert thread.frame.error is None and thread.frame.picture is not None


# ------------------------------------------------------------------------------------------ stream and wait


class Cuda:
    """Streams and events that count."""

    def __init__(self, monkeypatch):
        self.entered, self.waits, self.inside, counter = 0, 0, False, self

        class Stream:
            def __init__(self, device):
                self.device = device

            def wait_stream(self, other):
                pass

        class Event:
            def __init__(self, **options):
                self.recorded = False

            def record(self):
                assert counter.inside, "an event outside of our stream waits for nothing"
                self.recorded = True

            def synchronize(self):
                assert self.recorded
                counter.waits += 1

        @contextmanager
        def stream(which):
            counter.entered, counter.inside = counter.entered + 1, True
            yield
            counter.inside = False

        for name, value in (("Stream", Stream), ("Event", Event), ("stream", stream), ("current_stream", lambda device: None)):
            monkeypatch.setattr(torch.cuda, name, value)
        monkeypatch.setattr(gpu, "cuda_device", lambda view: torch.device("cuda"))


def test_a_frame_waits_once_and_only_in_our_stream(monkeypatch):
    cuda = Cuda(monkeypatch)
    pipeline = Pipeline(headless=True)
    for count, x in enumerate((0.0, 0.3, 0.6), start=1):
        frame = pipeline.render(RenderRequest(count, TINY_R.edit(Latent, x=x)))
        assert frame.error is None, frame.error
        assert (cuda.waits, cuda.inside) == (count, False)
        assert frame.timing.stages[-1][0] == "GPU" and "GPU" not in frame.ran
    entered = cuda.entered
    for _ in pipeline.refine(frame):
        assert not cuda.inside
    assert cuda.entered > entered  # measurements run there too


def test_numbers_are_made_when_they_have_arrived():
    numbers = torch.tensor([1.0, 2.0])
    made = []
    later = Later(numbers, lambda values: made.append(values) or sum(values))
    assert not made and nbytes(later) < 100
    assert arrived(later) == later.get() == 3 and made == [[1, 2]]
    assert arrived("as it is") == "as it is"


# ------------------------------------------------------------------------------------------ the picture


def device_picture():
    planes = torch.arange(3 * 4 * 5, dtype=torch.float32).reshape(3, 4, 5)
    return planes, DevicePicture(DeviceValues(planes), (0, 0, 5, 4), channels=(0, 1, 2))  # type: ignore[arg-type]


def test_a_picture_on_a_device_is_read_when_asked_for():
    planes, shown = device_picture()
    assert shown.shape == (4, 5, 3) and nbytes(shown) == shown.nbytes == 240
    assert shown.pixel(1, 2) == tuple(planes[:, 1, 2].tolist())
    assert shown.on_device._host is None  # nothing so far needed all values
    assert np.array_equal(shown.values, planes.permute(1, 2, 0).numpy())
    assert shown.values.base is not None and shown.channels == (0, 1, 2)


@pytest.mark.parametrize("shared, brought", [(None, True), (False, True), (True, False)])
def test_a_picture_comes_with_its_frame_until_the_window_says_that_it_need_not(shared, brought, monkeypatch):
    monkeypatch.setattr(handover, "shared", shared)
    shown, waited = device_picture()[1], []
    pipeline = Pipeline(headless=True)
    monkeypatch.setattr(pipeline.gpu, "wait", lambda: waited.append(shown.on_device._host) or ())
    pipeline._complete(shown)
    assert waited == [None]  # begun before the wait, and nobody's before it is over
    assert (shown.on_device._host is not None) == brought


def test_pinned_memory_goes_round(monkeypatch):
    """As many copies as `HELD` are held, of the newest pictures; a picture that is shown again gets another."""
    pictures = [device_picture()[1] for _ in range(HELD + 3)]
    for shown in pictures:
        shown.on_device.begin()
        shown.on_device.finish()
    held = [shown.on_device._host is not None for shown in pictures]
    assert held == [False] * 3 + [True] * HELD
    again = pictures[3].on_device
    kept = again._host
    again.begin()
    again.finish()
    assert again._host is kept  # one that is there is not copied
    pictures[0].on_device.begin()
    pictures[0].on_device.finish()
    assert pictures[0].on_device._host is not None and pictures[4].on_device._host is None and again._host is kept
    assert np.array_equal(pictures[4].values, pictures[0].values)


# ------------------------------------------------------------------------------------------ with a GPU


@pytest.mark.parametrize("name", [pytest.param(n, marks=on_gpu) for n in ("tiny_t", "tiny_r", "tiny_sg2")])
def test_pictures_are_those_of_the_processor(name):
    start = TINY_R.put(Source(str(GOLDEN / f"{name}.pkl"))).put(Device(device="cuda", force_fp32=True))
    there, here = Pipeline(), Pipeline(headless=True)
    paths = []
    for view in (
        start,
        start.edit(Latent, x=0.3),
        start.edit(Latent, x=0.6),
        start.edit(Pose, turns=0.1),
        start.edit(Channels, mode="single"),
    ):
        frame = there.render(RenderRequest(1, view))
        assert frame.error is None, frame.error.details
        expected = here.render(RenderRequest(1, view.edit(Device, device="cpu")))
        assert isinstance(frame.picture, DevicePicture)
        scale = np.abs(expected.picture.values).max()
        assert np.abs(frame.picture.values - expected.picture.values).max() < 1e-4 * scale
        for field in ("mean", "std", "max_abs"):
            assert getattr(frame.statistics_all, field) == pytest.approx(getattr(expected.statistics_all, field), abs=1e-4 * scale)
        paths.append(frame.path)
    assert REPLAYED in paths


@pytest.mark.parametrize("kind", [pytest.param(k, marks=on_gpu) for k in ("pose", "latent")])
def test_a_drag_does_not_wait_for_the_gpu_before_its_frame_is_complete(kind):
    pipeline, view = Pipeline(), TINY_R.put(Device(device="cuda"))
    edits = [view.edit(Pose, turns=t) if kind == "pose" else view.edit(Latent, x=t) for t in (0.1, 0.2, 0.3, 0.4, 0.5)]
    for edited in edits[:3]:
        assert pipeline.render(RenderRequest(1, edited)).error is None
    with no_waiting():
        frames = [pipeline.render(RenderRequest(2, edited)) for edited in edits[3:]]
    assert all(f.error is None for f in frames), frames[0].error.details
    assert frames[-1].path == REPLAYED


@pytest.mark.parametrize("name", [pytest.param("tiny_r", marks=on_gpu)])
def test_it_recovers_from_a_real_lack_of_memory(name):
    pipeline, view = Pipeline(), TINY_R.put(Device(device="cuda"))
    for turns in (0.0, 0.1):
        assert pipeline.render(RenderRequest(1, view.edit(Pose, turns=turns))).error is None
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-6)
    try:
        frame = pipeline.render(RenderRequest(2, view.edit(Tap, layer="L3_36_16")))
        failed = frame.error
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert failed is None or failed.message == "Out of memory."
    for turns in (0.2, 0.3, 0.4):
        frame = pipeline.render(RenderRequest(3, view.edit(Pose, turns=turns)))
        assert frame.error is None, frame.error.details
    assert frame.path == REPLAYED

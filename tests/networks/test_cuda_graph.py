"""Synthesis as a graph: what is an input, what is recorded, what is kept; and (marked gpu) that replays equal the steps bit for bit."""

import numpy as np
import pytest
import torch

from networks.build import build
from networks.configs import rung
from networks.cuda_graph import Graphs, form_of
from tests.networks.agreement import TINY, forward_matrix, golden_arrays, relative_error, tiny
from tests.torch_utils.waiting import no_waiting
from torch_utils import ops

gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")]
POSES = [None, forward_matrix(0.37, 0.05, -0.1), forward_matrix(-1.1, 0.0, 0.2)]


class Repeating:
    """Records by keeping the work: a replay does it again and leaves the result where the recording left it."""

    def __init__(self, fail=None):
        self.reserved_bytes, self.recorded, self.replays, self.fail = 0, 0, 0, fail

    def record(self, work):
        if self.fail is not None:
            raise self.fail
        self.recorded += 1
        self.reserved_bytes += 1000
        result, recorder = work(), self

        class Graph:
            def replay(self):
                recorder.replays += 1
                result.copy_(work())

        return Graph(), result


def asked(graphs, network, ws, tap=None, backend="auto", half=False, **view):
    """The graphs' answer, and that of the steps."""
    conditions = network.conditions(half=half, **view)
    form = form_of(network, ws, conditions, tap, backend)
    with torch.inference_mode():
        return graphs.run(network, form, ws, conditions), network.synthesize(ws, tap=tap, force_fp32=not half, **view)


def latents(network, count, device="cpu"):
    generator = torch.Generator().manual_seed(3)
    with torch.inference_mode():
        return [network.map(torch.randn(1, network.z_dim, generator=generator).to(device)) for _ in range(count)]


# ------------------------------------------------------------------------------------------ without a GPU


def test_ws_poses_and_learned_poses_are_inputs_of_one_graph():
    recorder, network = Repeating(), tiny("tiny_r")
    graphs = Graphs(recorder)
    for ws, pose in zip(latents(network, 3), POSES, strict=True):
        replayed, expected = asked(graphs, network, ws, pose=pose)
        assert torch.equal(replayed, expected)
    assert (recorder.recorded, recorder.replays) == (1, 3)
    for learned in ((1.0, 0.0, 0.1, 0.0), (0.0, 2.0, 0.0, -0.1)):
        replayed, expected = asked(graphs, network, ws, learned_pose=learned)
        assert torch.equal(replayed, expected)
    assert recorder.recorded == len(graphs) == 2  # a learned pose that is given is another form, whatever its numbers
    assert graphs.nbytes == 2000


def test_an_answer_is_the_callers_own():
    graphs, network = Graphs(Repeating()), tiny("tiny_t")
    first, second = latents(network, 2)
    kept, expected = asked(graphs, network, first)
    asked(graphs, network, second)
    assert torch.equal(kept, expected)


def test_taps_noise_batch_and_changed_weights_are_forms_of_their_own():
    recorder, network = Repeating(), tiny("tiny_sg2")
    graphs, (ws, other) = Graphs(recorder), latents(network, 2)
    for arguments in ({}, {"tap": "b8"}, {"noise": "none"}, {"tap": "b8"}):
        replayed, expected = asked(graphs, network, ws, **arguments)
        assert torch.equal(replayed, expected)
    assert recorder.recorded == 3
    asked(graphs, network, torch.cat([ws, other]))
    assert recorder.recorded == 4
    with torch.no_grad():
        next(network.synthesis.parameters()).mul_(1.5)
    replayed, expected = asked(graphs, network, ws)
    assert torch.equal(replayed, expected) and recorder.recorded == 5


def test_the_graph_replayed_longest_ago_goes_first():
    network = tiny("tiny_t")
    graphs, (ws,) = Graphs(recorder := Repeating(), limit=2), latents(network, 1)
    taps = [tap.name for tap in network.taps]
    for tap in (taps[0], taps[1], taps[0], taps[2], taps[0]):
        asked(graphs, network, ws, tap=tap)
    assert len(graphs) == 2 and recorder.recorded == 3
    asked(graphs, network, ws, tap=taps[1])
    assert recorder.recorded == 4


def test_graphs_of_networks_that_were_let_go_are_forgotten():
    kept, gone = tiny("tiny_t"), tiny("tiny_r")
    graphs = Graphs(Repeating())
    for network in (kept, gone):
        asked(graphs, network, latents(network, 1)[0])
    graphs.keep([kept])
    assert len(graphs) == 1
    graphs.clear()
    assert len(graphs) == 0 and graphs.nbytes == 0


@pytest.mark.parametrize("said", ["operation not permitted", ""])
def test_what_cannot_be_recorded_says_why_and_is_not_tried_again(said):
    recorder, network = Repeating(RuntimeError(f"{said}\nmore" if said else "")), tiny("tiny_t")
    graphs, (ws,) = Graphs(recorder), latents(network, 1)
    replayed, _ = asked(graphs, network, ws)
    form = form_of(network, ws, network.conditions(), None, "auto")
    assert replayed is None and graphs.failure(form) == f"RuntimeError: {said}"
    assert not graphs.has(form)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_lack_of_memory_is_not_taken_for_a_failed_recording(wrapped):
    error = torch.OutOfMemoryError("planted")
    if wrapped:  # what ending the recording raises then
        error, cause = RuntimeError("capture was invalidated"), error
        error.__context__ = cause
    network = tiny("tiny_t")
    with pytest.raises(torch.OutOfMemoryError, match="planted"):
        asked(Graphs(Repeating(error)), network, latents(network, 1)[0])


def test_no_step_of_t_and_r_takes_numbers_from_the_host():
    """A copy from the host cannot be replayed: the steps make no tensor out of Python numbers, arrays or CPU constants."""
    for name in ("tiny_t", "tiny_r"):
        network = tiny(name)
        ws = latents(network, 1)[0]
        conditions = network.conditions()
        with torch.inference_mode(), _Watched() as watched:
            activation = None
            for step in network.steps(conditions):
                activation = step.run(activation, ws)
        assert not watched.found


class _Watched(torch.utils._python_dispatch.TorchDispatchMode):
    """Notes the operators that a copy from the host consists of."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        name, number = str(function), "lift_fresh" in str(function) and arguments[0].ndim == 0  # which kernels get as an argument
        if not number and any(part in name for part in ("lift_fresh", "_local_scalar_dense", "nonzero")):
            self.found.append(name)
        return function(*arguments, **(options or {}))


# ------------------------------------------------------------------------------------------ with one


@pytest.mark.parametrize("name", [pytest.param(n, marks=gpu) for n in TINY])
@pytest.mark.parametrize("half", [False, True])
def test_replays_equal_the_steps_bit_for_bit(name, half):
    network = tiny(name).cuda()
    graphs = Graphs()
    arrays = golden_arrays(name)
    with torch.inference_mode():
        ws = network.map(torch.from_numpy(arrays["z"]).cuda(), torch.from_numpy(arrays["c"]).cuda())[:1]
    for pose in POSES if network.has_pose else (None,):
        for tap in (None, network.taps[len(network.taps) // 2].name):
            replayed, expected = asked(graphs, network, ws, tap=tap, half=half, pose=pose)
            assert replayed is not None, [graphs._failed]
            assert torch.equal(replayed, expected)
    assert len(graphs) == 2 and graphs.nbytes > 0
    replayed, _ = asked(graphs, network, ws, half=half)
    if not half:
        assert relative_error(replayed.cpu().numpy(), arrays["image"][:1]) < 1e-4


@pytest.mark.parametrize("config, size, base", [pytest.param("T", 256, 16384, marks=gpu), pytest.param("R", 256, 32768, marks=gpu)])
def test_full_size_networks_by_graph_and_by_definition(config, size, base):
    network = build(rung(config, size, channel_base=base), seed=0).cuda()
    graphs = Graphs()
    for ws, pose in zip(latents(network, 3, "cuda"), POSES, strict=True):
        replayed, expected = asked(graphs, network, ws, pose=pose)
        assert torch.equal(replayed, expected)
        with ops.use("reference"), torch.inference_mode():
            defined = network.synthesize(ws, pose=pose)
        assert relative_error(replayed.cpu().numpy(), defined.cpu().numpy()) < 1e-4
        half, expected = asked(graphs, network, ws, pose=pose, half=True)
        assert torch.equal(half, expected)
        assert np.sqrt(((half - defined).square().mean() / defined.square().mean()).item()) < 0.01  # rounding of 11 bits in ten layers


@pytest.mark.filterwarnings("ignore:The CUDA Graph is empty")  # that of the recording that fails
@pytest.mark.parametrize("name", [pytest.param("tiny_sg2", marks=gpu)])
def test_what_waits_for_the_gpu_is_not_recorded_and_the_next_form_is(name):
    network = tiny(name).cuda()
    graphs, ws = Graphs(), latents(network, 1, "cuda")[0]
    conditions = network.conditions(noise=5)  # drawn on the CPU: copied from there
    form = form_of(network, ws, conditions, None, "auto")
    assert graphs.run(network, form, ws, conditions) is None
    assert graphs.failure(form)
    replayed, expected = asked(graphs, network, ws)
    assert replayed is not None and torch.equal(replayed, expected)


@pytest.mark.parametrize("name", [pytest.param("tiny_t", marks=gpu)])
def test_a_replay_does_not_wait_for_the_gpu(name):
    network = tiny(name).cuda()
    graphs, ws = Graphs(), latents(network, 1, "cuda")[0]
    conditions = network.conditions(pose=POSES[1])
    form = form_of(network, ws, conditions, None, "auto")
    graphs.run(network, form, ws, conditions)
    with no_waiting():
        graphs.run(network, form, ws, conditions)

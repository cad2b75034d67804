"""Interrupted computations go on from the layer they had reached."""

import torch

from networks.measures.patience import LastStep, finished, synthesized
from tests.networks.agreement import tiny


def test_an_interrupted_synthesis_computes_every_layer_once():
    network = tiny("tiny_r")
    ws = network.map(torch.zeros(1, network.z_dim) + 0.5)
    computed, asked = [], iter(range(10**6))

    class Counting(LastStep):
        def put(self, key, value):
            computed.append(key)
            super().put(key, value)

    steps = synthesized(network, ws, lambda: next(asked) % 3 == 2, memo=Counting())
    interruptions = 0
    while True:
        try:
            assert next(steps) is None
            interruptions += 1
            assert interruptions < 1000
        except StopIteration as end:
            found = end.value
            break
    assert interruptions >= 3
    assert len(computed) == len(set(computed)) == len(network.taps)
    assert torch.equal(found, finished(synthesized(network, ws, None)))


def test_between_two_pieces_of_work_gradients_are_as_the_caller_left_them():
    network = tiny("tiny_r")
    ws = network.map(torch.zeros(1, network.z_dim) + 0.5).detach()
    asked = iter(range(10**6))
    steps = synthesized(network, ws, lambda: next(asked) % 3 == 2)
    next(steps)
    assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()
    steps.close()


def test_what_was_found_beyond_is_held_until_the_next_step():
    beyond = {"a": 1, "b": 2}
    memo = LastStep(beyond)
    assert memo.get("a") == 1 and memo.get("c") is None
    beyond.clear()
    assert memo.get("a") == 1 and memo.get("b") is None
    memo.put("d", 4)
    assert memo.get("d") == 4 and memo.get("a") is None and beyond == {}

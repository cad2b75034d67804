"""Edits of activations: each operation against direct computation, shared weights, and steps that nobody computes twice."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from networks.build import build
from networks.configs import rung
from networks.cuda_graph import form_of
from networks.editing import ChannelEdit, EditError, edited
from networks.ladder import LADDER, small_config
from networks.spec import MappingConfig
from torch_utils.resample import warp

CONFIG = replace(rung("R", 64, z_dim=8, w_dim=8, mapping=MappingConfig(num_layers=1)), channel_base=512, channel_max=12)
CHOSEN = (1, 4, 5)


@pytest.fixture(scope="module")
def whole():
    return build(CONFIG, seed=0)


def picture(network, **arguments):
    z = torch.randn(2, network.z_dim, generator=torch.Generator().manual_seed(0))
    return network.synthesize(network.map(z), **arguments)


def halves(whole, edit, index=4):
    """The edited channels before and after at one tap; all others are checked to be the same, bit for bit."""
    name = whole.taps[index].name
    before, after = (picture(network, tap=name) for network in (whole, edited(whole, {name: [edit]})))
    rest = [n for n in range(before.shape[1]) if edit.channels and n not in edit.channels]
    assert torch.equal(before[:, rest], after[:, rest])
    chosen = list(edit.channels) or list(range(before.shape[1]))
    return before[:, chosen], after[:, chosen]


@pytest.mark.parametrize("channels", [CHOSEN, ()])
def test_operations_against_direct_computation(whole, channels):
    before, after = halves(whole, ChannelEdit(channels, "gain", -0.5))
    assert torch.equal(after, -0.5 * before)
    before, after = halves(whole, ChannelEdit(channels, "offset", 0.75))
    assert torch.equal(after, before + 0.75)
    before, after = halves(whole, ChannelEdit(channels, "threshold", 0.1))
    assert torch.equal(after, (before > 0.1).float()) and 0 < after.mean() < 1


def test_channels_move_in_image_widths_at_the_rate_of_each_layer(whole):
    for index in (0, 2, 6):
        tap = whole.taps[index]
        before, after = halves(whole, ChannelEdit(CHOSEN, "move", x=2 / tap.sampling_rate, y=-1 / tap.sampling_rate), index)
        assert torch.allclose(after[..., :-1, 2:], before[..., 1:, :-2], atol=1e-6)  # right and up, by whole samples: exact
        assert after[..., -1:, :].abs().max() < 1e-12 > after[..., :2].abs().max()  # nothing is known beyond the margin
    before, after = halves(whole, ChannelEdit(CHOSEN, "move", turns=0.25))
    edge = slice(8, -8)
    error = (after - torch.rot90(before, 1, (-2, -1)))[..., edge, edge].square().mean()
    assert error < 1e-4 * before.var()  # counter-clockwise, about the middle
    edit = ChannelEdit((), "move", x=0.05, turns=0.1, scale=1.2)
    before, after = halves(whole, edit)
    c, s = 1.2 * math.cos(0.2 * math.pi), 1.2 * math.sin(0.2 * math.pi)
    expected, _ = warp(before, ((c, s, 0.05), (-s, c, 0), (0, 0, 1)), sampling_rate=whole.taps[4].sampling_rate)
    assert torch.allclose(after, expected, atol=1e-5)


def test_edits_act_in_order(whole):
    name, edits = whole.taps[3].name, [ChannelEdit((2,), "offset", 1.0), ChannelEdit((), "gain", 3.0)]
    before, once = picture(whole, tap=name), picture(edited(whole, {name: edits}), tap=name)
    twice = picture(edited(edited(whole, {name: edits[:1]}), {name: edits[1:]}), tap=name)
    assert torch.equal(once[:, 2], (before[:, 2] + 1) * 3) and torch.equal(once[:, 3], before[:, 3] * 3)
    assert torch.equal(once, twice)


def test_channels_turned_off_are_those_that_the_next_layers_weights_do_not_read(whole):
    """The next layer's weight, modulated and demodulated as ever, with zeros for these channels."""
    tap, following = whole.taps[4], whole.taps[5]
    layer, ws = whole.synthesis.layer(following.spec), whole.map(torch.randn(2, 8, generator=torch.Generator().manual_seed(0)))
    found = picture(edited(whole, {tap.name: [ChannelEdit(CHOSEN, amount=0.0)]}), tap=following.name)
    styles = layer.affine(ws[:, following.row])
    for x, style, expected in zip(picture(whole, tap=tap.name), styles, found, strict=True):
        scale = style / style.square().mean().sqrt()
        weight = layer.weight / layer.weight.square().mean(dim=(1, 2, 3), keepdim=True).sqrt() * scale[:, None, None]
        weight = weight * (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).rsqrt() * layer.magnitude_ema.rsqrt()
        weight[:, list(CHOSEN)] = 0
        y = F.conv2d(x[None], weight, padding=following.spec.conv_kernel - 1)
        assert torch.allclose(layer.nonlinearity(y, layer.bias)[0], expected, atol=1e-4)


def test_weights_are_shared_and_the_network_stays_as_it_is(whole):
    before, objects = picture(whole), [id(p) for p in (*whole.parameters(), *whole.buffers())]
    twin = edited(whole, {whole.taps[2].name: [ChannelEdit(amount=0.0)]})
    assert not torch.equal(picture(twin), before) and torch.equal(picture(whole), before) and not whole.edits
    assert [id(p) for p in (*twin.parameters(), *twin.buffers())] == objects
    assert edited(whole, {}) is whole and edited(whole, {whole.taps[2].name: []}) is whole


def test_layers_before_the_edit_are_remembered_for_both(whole):
    class Memory(dict):
        def put(self, key, value):
            self[key] = value
            ran.append(key.name)

    memory, ran, names = Memory(), [], [tap.name for tap in whole.taps]
    first = picture(whole, memo=memory)
    for index, amount in ((6, 0.0), (6, 0.5), (3, 0.0)):
        ran.clear()
        twin = edited(whole, {names[index]: [ChannelEdit(CHOSEN, amount=amount)]})
        assert torch.equal(picture(twin, memo=memory), picture(twin)) and ran == names[index:]
    ran.clear()
    assert torch.equal(picture(whole, memo=memory), first) and not ran


def test_a_graph_of_one_is_not_replayed_for_the_other(whole):
    ws, conditions = whole.map(torch.zeros(1, 8)), whole.conditions()
    forms = {form_of(network, ws, conditions, None, "auto") for network in (
        whole, *(edited(whole, {whole.taps[3].name: [ChannelEdit(amount=amount)]}) for amount in (0.0, 0.5, 0.5)))}  # fmt: skip
    assert len(forms) == 3


@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
def test_stylegan2_carries_the_edit_to_the_steps_that_follow(architecture):
    network = build(replace(small_config(LADDER[0], 16), architecture=architecture), seed=0)
    off = edited(network, {"b16.conv1": [ChannelEdit(amount=0.0)]})
    features, before = picture(off, tap="b16"), picture(network, tap="b16.conv1")
    assert not picture(off, tap="b16.conv1").any() and before.any()
    expected = picture(network, tap="b16") - (before * math.sqrt(0.5) if architecture == "resnet" else before)
    assert torch.allclose(features, expected, atol=1e-5)
    bias = network.synthesis.b16.torgb.bias
    torgb = picture(off, tap="b16.torgb")
    assert (torgb - bias[:, None, None]).abs().max() < 1e-5 if architecture != "resnet" else torgb.std() > 0
    first = edited(network, {"b8.conv0": [ChannelEdit((0,), amount=2.0)]})
    assert torch.equal(picture(first, tap="b8.conv0")[:, 0], 2 * picture(network, tap="b8.conv0")[:, 0])
    assert not torch.equal(picture(first), picture(network))


def test_what_cannot_be_edited_says_why(whole):
    with pytest.raises(EditError, match="no layer 'L99' to edit; there are input, L0"):
        edited(whole, {"L99": [ChannelEdit()]})
    with pytest.raises(EditError, match=r"L3_\w+ has 12 channels, numbered from 0: there is no channel 12"):
        edited(whole, {whole.taps[4].name: [ChannelEdit((3, 12))]})
    with pytest.raises(EditError, match=r"no layer 'b16\.torgb'"):
        edited(build(small_config(LADDER[0], 16), seed=0), {"b16.torgb": [ChannelEdit()]})
    for wrong, said in (
        ({"operation": "blur"}, "operation is 'blur'"),
        ({"amount": math.nan}, "amount is nan"),
        ({"scale": 0.0}, "scale is 0"),
    ):
        with pytest.raises(EditError, match=said):
            ChannelEdit(**wrong)

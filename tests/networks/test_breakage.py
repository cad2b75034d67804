"""Broken networks: the same weights, the designs of the paper's ablations, everything centred, and the whole network left as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from networks.breakage import Breakage, BreakageError, altered_specs, broken
from networks.build import build
from networks.configs import rung
from networks.filters import DESIGNS
from networks.ladder import LADDER, small_config
from networks.layer_rule import input_spec, layer_specs
from networks.sharing import shared_copy
from networks.spec import MappingConfig
from torch_utils import ops

CONFIG = replace(rung("R", 64, z_dim=8, w_dim=8, mapping=MappingConfig(num_layers=1)), channel_base=512, channel_max=12)
BREAKAGES = (
    *(Breakage(upsampling=m) for m in (1, 2, 3, 4)),
    *(Breakage(support=n) for n in (4, 6, 8)),
    *(Breakage(window=window) for window in DESIGNS),
    *(Breakage(cutoff_octaves=shift) for shift in (-1.0, 3.0)),
    *(Breakage(margin=margin) for margin in (0, 3, 50)),
    Breakage(noise=0.5),
    *(Breakage(pool=pool, upsampling=m) for pool in ("max", "blur") for m in (0, 1, 4)),
    Breakage((2, 5), upsampling=4, support=8, window="gaussian", cutoff_octaves=0.5, margin=1, noise=0.1, pool="blur"),
)


@pytest.fixture(scope="module")
def whole():
    return build(CONFIG, seed=0)


def picture(network, seed=0, **arguments):
    z = torch.randn(1, network.z_dim, generator=torch.Generator().manual_seed(seed))
    return network.synthesize(network.map(z), **arguments)


# ---------------------------------------------------------------------------------------------------- nothing broken


def test_nothing_broken_is_bit_equal_and_shares_even_the_filters(whole):
    for breakage in (Breakage(), Breakage(upsampling=2, support=6, window="kaiser")):
        twin = broken(whole, breakage)
        assert torch.equal(picture(twin), picture(whole))
        assert twin.synthesis.specs == whole.synthesis.specs
        assert {id(b) for b in twin.buffers()} == {id(b) for b in whole.buffers()}


@pytest.mark.parametrize("breakage", BREAKAGES, ids=str)
def test_a_broken_network_shares_every_weight_and_changes_nothing(whole, breakage):
    before = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    objects = [id(p) for p in whole.parameters()], [id(b) for b in whole.buffers()]
    specs = whole.synthesis.specs
    twin = broken(whole, breakage)
    found = picture(twin)
    assert found.shape == picture(whole).shape and torch.isfinite(found).all()
    assert [id(p) for p in twin.parameters()] == objects[0]
    assert ([id(p) for p in whole.parameters()], [id(b) for b in whole.buffers()]) == objects
    assert whole.synthesis.specs is specs
    assert all(torch.equal(tensor, before[name]) for name, tensor in whole.state_dict().items())


def test_remembered_layers_of_one_are_not_those_of_the_other(whole):
    class Keys(dict):
        def put(self, key, value):
            self[key] = value

    memory = Keys()
    first = picture(whole, memo=memory)
    second = picture(broken(whole, Breakage(window="nearest")), memo=memory)
    assert not torch.equal(first, second)
    assert torch.equal(first, picture(whole, memo=memory))


@pytest.mark.parametrize("line", [line.rung for line in LADDER if line.rung not in "ABC"])
def test_every_rung_with_filters_can_be_broken(line):
    network = build(small_config(next(entry for entry in LADDER if entry.rung == line), 32), seed=0)
    for breakage in (Breakage(upsampling=4, support=4), Breakage(margin=2, noise=0.1), Breakage(window="nearest", pool="max")):
        assert torch.isfinite(picture(broken(network, breakage))).all()


# ---------------------------------------------------------------------------------------------------- designs


@pytest.mark.parametrize(
    ("breakage", "changes"),
    [
        (Breakage(upsampling=1), {"lrelu_upsampling": 1}),
        (Breakage(upsampling=4), {"lrelu_upsampling": 4}),
        (Breakage(support=4), {"filter_size": 4}),
        (Breakage(support=8), {"filter_size": 8}),
        (Breakage(window="lanczos"), {"window": "lanczos"}),
        (Breakage(margin=6), {"margin_size": 6}),
        (Breakage(upsampling=4, support=8, margin=3, window="gaussian"), None),
    ],
)
@pytest.mark.parametrize("name", ["T", "R", "H"])
def test_breaking_all_layers_gives_the_design_of_the_ablation(name, breakage, changes):
    config = rung(name, 128)
    changes = changes or {"lrelu_upsampling": 4, "filter_size": 8, "margin_size": 3, "window": "gaussian"}
    expected = layer_specs(replace(config, **changes))
    size = input_spec(replace(config, **changes)).size
    found = altered_specs(layer_specs(config), size, breakage, default_support=config.filter_size)
    window = {"window": expected[-1].window}  # ToRGB has no filters, whatever window its specification names
    nameless = [[replace(spec, name="", **(window if spec.is_torgb else {})) for spec in specs] for specs in (found, expected)]
    assert nameless[0] == nameless[1]


@pytest.mark.parametrize("octaves", [-1.0, 0.5, 3.0])
def test_cutoffs_move_by_octaves_as_far_as_a_filter_can_have_them(octaves):
    specs = layer_specs(rung("T", 128))
    found = altered_specs(specs, input_spec(rung("T", 128)).size, Breakage(cutoff_octaves=octaves), default_support=6)
    for whole, other in list(zip(specs, found, strict=True))[:-1]:  # ToRGB has no filters
        for before, after in ((whole.in_cutoff, other.in_cutoff), (whole.out_cutoff, other.out_cutoff)):
            assert after == pytest.approx(before * 2**octaves) or before < after < other.tmp_sampling_rate / 2 <= before * 2**octaves * 1.01


def test_only_the_layers_that_are_meant_are_other_ones(whole):
    twin = broken(whole, Breakage((3,), window="nearest"))
    pairs = zip(whole.synthesis.specs, twin.synthesis.specs, strict=True)
    same = [twin.synthesis.layer(new) is whole.synthesis.layer(old) for old, new in pairs]
    assert [i for i, kept in enumerate(same) if not kept] == [3]
    assert twin.synthesis.specs[3].window == "nearest"


def test_filters_whose_design_stays_are_the_ones_that_were_loaded(whole):
    twin = broken(whole, Breakage(margin=3))
    for old, new in zip(whole.synthesis.specs, twin.synthesis.specs, strict=True):
        assert twin.synthesis.layer(new).up_filter is whole.synthesis.layer(old).up_filter


def test_torgb_is_left_alone(whole):
    last = len(whole.synthesis.specs) - 1
    assert torch.equal(picture(broken(whole, Breakage((last,), window="nearest", noise=1.0, pool="max"))), picture(whole))


@pytest.mark.parametrize("breakage", [b for b in BREAKAGES if b.noise == 0], ids=str)
def test_the_middle_stays_where_it_is(whole, breakage):
    """A layer whose filters and pooling are centred does with a mirrored input what it does with the input, mirrored."""
    twin = broken(whole, breakage)
    for spec in twin.synthesis.specs[2:6]:
        layer = twin.synthesis.layer(spec)
        side = spec.in_size[0] + spec.conv_kernel - 1
        x = torch.randn(1, spec.out_channels, side, side, generator=torch.Generator().manual_seed(1))
        bias = torch.zeros(spec.out_channels)
        found, mirrored = layer.nonlinearity(x, bias), layer.nonlinearity(x.flip(2, 3), bias).flip(2, 3)
        assert found.shape[-2:] == spec.out_size[::-1]
        torch.testing.assert_close(mirrored, found, atol=1e-5, rtol=1e-4)


def test_blur_pooling_makes_no_filter_for_a_picture(whole, monkeypatch):
    """It would be copied to a GPU in every layer of every picture, which waits, and which a CUDA graph cannot do."""
    twin, filters = broken(whole, Breakage(pool="blur")), []
    real = ops.upfirdn2d
    monkeypatch.setattr(ops, "upfirdn2d", lambda x, f, **options: (filters.append(f), real(x, f, **options))[1])
    picture(twin)
    first, filters[:] = [*filters], []
    picture(twin)
    assert first and all(one is other for one, other in zip(first, filters, strict=True))


@pytest.mark.parametrize("pool", ["max", "blur"])
def test_pooling_keeps_what_is_constant_and_max_pooling_the_largest(whole, pool):
    twin = broken(whole, Breakage((4,), pool=pool))
    spec = twin.synthesis.specs[4]
    layer, side = twin.synthesis.layer(spec), spec.in_size[0] + spec.conv_kernel - 1
    constant = layer.nonlinearity(torch.ones(1, spec.out_channels, side, side), torch.zeros(spec.out_channels))
    middle = constant[..., 20:-20, 20:-20]
    torch.testing.assert_close(middle, torch.full_like(middle, 2**0.5), atol=5e-3, rtol=0)
    x = torch.randn(1, spec.out_channels, side, side, generator=torch.Generator().manual_seed(0))
    whole_layer = whole.synthesis.layer(spec)
    assert layer.nonlinearity(x, torch.zeros(spec.out_channels)).mean() > whole_layer.nonlinearity(x, torch.zeros(spec.out_channels)).mean()


def test_added_noise_is_the_same_for_every_latent_and_scales(whole):
    differences = []
    for strength in (0.1, 0.2):
        twin = broken(whole, Breakage((9,), noise=strength))
        layer = twin.synthesis.layer(twin.synthesis.specs[9])
        differences.append(layer.added_noise)
        assert torch.equal(layer.added_noise, broken(whole, Breakage((9,), noise=strength)).synthesis.layer(layer.spec).added_noise)
    torch.testing.assert_close(differences[1], 2 * differences[0])
    assert differences[0].std() == pytest.approx(0.1, rel=0.1)


def test_noise_inputs_of_the_network_follow_smaller_margins():
    network = build(replace(CONFIG, use_noise=True), seed=0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.1)
    assert torch.isfinite(picture(broken(network, Breakage(margin=2)))).all()


# ---------------------------------------------------------------------------------------------------- refusals


def test_what_cannot_be_broken_says_why():
    with pytest.raises(BreakageError, match="stylegan2"):
        broken(build(small_config(LADDER[0], 16), seed=0), Breakage(upsampling=1))
    with pytest.raises(BreakageError, match="window is 'hamming'"):
        Breakage(window="hamming")
    with pytest.raises(BreakageError, match="pool is 'mean'"):
        Breakage(pool="mean")
    with pytest.raises(BreakageError, match="cutoff_octaves is 2000, but must be from -16 to 16"):
        Breakage(cutoff_octaves=2000)  # 2 to that power is no float
    with pytest.raises(BreakageError, match="noise is nan"):
        Breakage(noise=float("nan"))
    with pytest.raises(BreakageError, match="upsampling is -1"):
        Breakage(upsampling=-1)


def test_a_copy_may_not_be_something_else(whole):
    with pytest.raises(TypeError, match="cannot be a"):
        shared_copy(whole, torch.nn.Linear)


def test_the_defaults_break_nothing(whole):
    twin, specs = broken(whole, Breakage()), whole.synthesis.specs
    assert twin.synthesis.specs == specs and twin.synthesis.input is whole.synthesis.input
    assert all(twin.synthesis.layer(spec) is whole.synthesis.layer(spec) for spec in specs)

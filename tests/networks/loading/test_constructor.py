"""Constructor arguments out of a file: within bounds they are a configuration, beyond them a sentence that names one."""

import math
import re

import pytest

from networks.loading.constructor import checked_config, family_of
from networks.loading.errors import Malformed
from networks.loading.weights import fill
from networks.spec import ALIAS_FREE, STYLEGAN2


def with_argument(name: str, value: object) -> dict:
    group, _, inner = name.partition(".")
    return {"img_resolution": 64, **({f"{group}_kwargs": {inner: value}} if inner else {name: value})}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("z_dim", v) for v in (-1, 65537, 8.0, True, "8", None)],
        *[("img_resolution", v) for v in (3, 16384)],
        *[("num_layers", v) for v in (1, 65)],
        *[("mapping.num_layers", v) for v in (0, 65)],
        *[("first_cutoff", v) for v in (0, 2e4, math.inf, math.nan, "2", True, None)],
        *[("output_scale", v) for v in (-2e6, 2e6)],
        *[("conv_clamp", v) for v in (-1, 2e9)],
        *[("mapping.w_avg_beta", v) for v in (-0.1, 1.1)],
        *[("use_noise", v) for v in (1, "True", None)],
        *[("window", v) for v in ("hann", ["kaiser"], None)],
        *[("resample_filter", v) for v in ("13", [], [1], [1] * 33, [1, "3"], [1, True], [1e7, 1], [-1e7, 1], [1, -1], [math.nan], 4)],
    ],
)
def test_an_argument_out_of_bounds_is_named_with_its_bounds(name, value):
    with pytest.raises(Malformed, match=rf"constructor argument {re.escape(name)} is .* but must be (a|one of) "):
        checked_config(with_argument(name, value), STYLEGAN2 if name == "resample_filter" else ALIAS_FREE)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("z_dim", v) for v in (1, 65536)],
        *[("img_resolution", v) for v in (8, 8192)],
        *[("output_scale", v) for v in (-1e6, 1e6, 1)],
        *[("conv_clamp", v) for v in (None, 0, 1e9)],
        *[("mapping.w_avg_beta", v) for v in (0, 1)],
        *[("mapping.embed_features", v) for v in (None, 1, 65536)],
        *[("use_noise", v) for v in (True, False)],
        *[("resample_filter", v) for v in ([1, 1], [1] * 32, (1, 3, 3, 1))],
    ],
)
def test_the_bounds_themselves_are_within_them(name, value):
    config = checked_config(with_argument(name, value), STYLEGAN2)
    found = getattr(config.mapping, name.partition(".")[2]) if "." in name else getattr(config, name)
    assert found == (tuple(value) if isinstance(value, list) else value)


def test_the_family_is_that_of_the_names():
    assert family_of({"synthesis.input.freqs": 0}) == ALIAS_FREE
    assert family_of(["synthesis.b4.input.freqs", "synthesis.input.freqs"]) == STYLEGAN2
    for nothing in ({"mapping.fc0.weight": 0}, None, "synthesis.b4.const"):
        with pytest.raises(Malformed, match="neither an alias-free generator nor a StyleGAN2 one"):
            family_of(nothing)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"first_cutoff": 0.01, "first_stopband": 0.1}, "layer 0 has its stopband at 0.1, where not even one sample"),
        (
            {"last_stopband_rel": 0.001, "num_critical": 0, "first_stopband": 100.0},
            "layer 11 has its stopband at 0.179493, where not even one sample",
        ),
        ({"first_stopband": 9e4, "filter_size": 32, "margin_size": 0}, "no filter of 64 taps has a transition of 1799"),
    ],
)
def test_arguments_within_their_bounds_that_make_no_layers_together_are_refused(arguments, says):
    """They came out as a KeyError, as a ValueError of an operator at the first picture, or as a picture of NaN."""
    config = checked_config({"img_resolution": 64, "channel_base": 256, **arguments}, ALIAS_FREE)
    with pytest.raises(Malformed, match=f"its constructor arguments make (no|not a) network .*{says}"):
        fill(config, {}, 0, lambda done, total: None)

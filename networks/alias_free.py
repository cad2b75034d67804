"""The alias-free generator, rungs D to H, T and R: Fourier input, filtered layers by a layer rule, ToRGB, a final scale."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from networks.fourier_input import FourierInput
from networks.generator import Conditions, Generator
from networks.layer_rule import input_spec, layer_specs
from networks.layers import FilteredLayer
from networks.noise import GivenNoise, noise_image
from networks.sharing import shared_copy
from networks.spec import GeneratorConfig, LayerSpec, TapInfo
from networks.steps import Activation, Step


class AliasFreeSynthesis(nn.Module):
    """Holds the layers under their published names: `input`, then `L{i}_{size}_{channels}`.

    `first_row` is the row of ws that L0 reads: 1 after the row of a learned pose, else 0.
    """

    input: FourierInput

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.specs = layer_specs(config)
        self.input = FourierInput(input_spec(config), config.w_dim, learns_pose=config.learns_pose)
        self.first_row = int(config.learns_pose)
        self.output_scale = config.output_scale
        for spec in self.specs:
            self.add_module(spec.name, FilteredLayer(spec, config.w_dim, conv_clamp=config.conv_clamp, use_noise=config.use_noise))

    def layer(self, spec: LayerSpec) -> FilteredLayer:
        """The layer that a spec describes."""
        return self.get_submodule(spec.name)  # type: ignore[return-value]


class AliasFreeGenerator(Generator):
    """Rungs D to H, T and R. A learned pose reads `ws[0]`; the layers and ToRGB read the rows after it, one each."""

    synthesis: AliasFreeSynthesis

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.synthesis = AliasFreeSynthesis(config)
        self.has_noise = config.use_noise
        self.taps = _taps(self.synthesis)

    def with_layers(self, source: FourierInput, layers: Sequence[FilteredLayer]) -> AliasFreeGenerator:
        """A generator with this input and these layers in place of its own, and everything else shared; this one stays as it is.

        Its picture has as many pixels as the last layer says.
        """
        synthesis = shared_copy(self.synthesis, type(self.synthesis))
        synthesis.specs = tuple(layer.spec for layer in layers)
        synthesis.input = source
        for layer in layers:
            synthesis.add_module(layer.spec.name, layer)
        twin = shared_copy(self, type(self))
        twin.synthesis, twin.taps, twin._identity = synthesis, _taps(synthesis), type(self._identity)()
        twin.img_resolution = layers[-1].spec.out_size[0]
        return twin

    def _steps(self, conditions: Conditions) -> list[Step]:
        steps = [self._input_step(self.synthesis.input, conditions)]
        for row, spec in enumerate(self.synthesis.specs, start=self.synthesis.first_row):
            dtype = torch.float16 if conditions.half and spec.use_fp16 else torch.float32
            steps.append(_layer_step(self.synthesis.layer(spec), row, conditions.noise, dtype))
        scale = self.synthesis.output_scale
        steps.append(Step("output", (), (scale,), lambda x, _: Activation(_shown(x).to(torch.float32) * scale)))
        return steps


def _layer_step(layer: FilteredLayer, row: int, noise: str | int | GivenNoise, dtype: torch.dtype) -> Step:
    name, noise = layer.spec.name, noise if layer.use_noise else "none"

    def run(before: Activation | None, ws: Tensor) -> Activation:
        return Activation(layer(_shown(before), ws[:, row], noise_image(layer, name, noise, ws), dtype=dtype))

    return Step(name, (row,), (noise, dtype), run)


def _shown(activation: Activation | None) -> Tensor:
    assert activation is not None, "only the first step has nothing before it"
    return activation.shown


def _taps(synthesis: AliasFreeSynthesis) -> tuple[TapInfo, ...]:
    """Every tappable place: the input, each layer, and the scaled picture."""
    source, specs = synthesis.input.spec, synthesis.specs
    row = 0 if synthesis.first_row else None
    taps = [TapInfo("input", source.channels * source.orientations, source.size, source.sampling_rate, row=row)]
    for row, spec in enumerate(specs, start=synthesis.first_row):
        dtype = "float16" if spec.use_fp16 else "float32"
        taps.append(TapInfo(spec.name, spec.out_channels, spec.out_size, float(spec.out_sampling_rate), dtype, spec, row))
    last = specs[-1]
    return (*taps, TapInfo("output", last.out_channels, last.out_size, float(last.out_sampling_rate)))

"""The alias-free generator, rungs T and R: Fourier input, filtered layers by the layer rule, ToRGB, a final scale."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from networks.generator import Conditions, Generator, Matrix
from networks.layers import FilteredLayer, FourierInput
from networks.spec import GeneratorConfig, InputSpec, LayerSpec, TapInfo, input_spec, layer_specs
from networks.steps import Activation, Step


class AliasFreeSynthesis(nn.Module):
    """Holds the layers under their published names: `input`, then `L{i}_{size}_{channels}`."""

    input: FourierInput

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.specs = layer_specs(config)
        self.input = FourierInput(input_spec(config), config.w_dim)
        self.output_scale = config.output_scale
        for spec in self.specs:
            layer = FilteredLayer(spec, config.w_dim, conv_clamp=config.conv_clamp, magnitude_ema_beta=config.magnitude_ema_beta)
            self.add_module(spec.name, layer)

    def layer(self, spec: LayerSpec) -> FilteredLayer:
        """The layer that a spec describes."""
        return self.get_submodule(spec.name)  # type: ignore[return-value]

    def forward(self, ws: Tensor) -> Tensor:
        """Training only: ws [N, num_ws, w_dim] -> picture, updating each layer's input magnitude on the way."""
        x = self.input(self.input.learned_pose(ws[:, 0]))
        for row, spec in enumerate(self.specs, start=1):
            layer = self.layer(spec)
            layer.update_magnitude(x)
            x = layer(x, ws[:, row])
        return x.to(torch.float32) * self.output_scale


class AliasFreeGenerator(Generator):
    """Rungs T and R. `ws[0]` goes to the Fourier input, `ws[i + 1]` to layer i."""

    synthesis: AliasFreeSynthesis
    has_pose = True

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.synthesis = AliasFreeSynthesis(config)
        self.taps = _taps(self.synthesis.input.spec, self.synthesis.specs)

    @property
    def base_transform(self) -> Matrix:
        return self.synthesis.input.transform.detach().cpu().numpy().astype(np.float64)

    def learned_pose(self, w: Tensor) -> Tensor:
        return self.synthesis.input.learned_pose(w)

    def _steps(self, conditions: Conditions) -> list[Step]:
        rows = () if conditions.learned else (0,)
        where = (conditions.inverse, conditions.learned)
        steps = [Step("input", rows, where, lambda _, ws: Activation(self._input(ws, conditions)))]
        for row, spec in enumerate(self.synthesis.specs, start=1):
            steps.append(self._layer_step(spec, row, torch.float16 if conditions.half and spec.use_fp16 else torch.float32))
        scale = self.synthesis.output_scale
        steps.append(Step("output", (), (scale,), lambda x, _: Activation(_shown(x).to(torch.float32) * scale)))
        return steps

    def _input(self, ws: Tensor, conditions: Conditions) -> Tensor:
        if conditions.learned is None:
            pose = self.learned_pose(ws[:, 0])
        else:
            pose = ws.new_tensor(conditions.learned).expand(ws.shape[0], 4)
        inverse = None if conditions.inverse is None else ws.new_tensor(conditions.inverse)
        return self.synthesis.input(pose, inverse)

    def _layer_step(self, spec: LayerSpec, row: int, dtype: torch.dtype) -> Step:
        layer = self.synthesis.layer(spec)
        return Step(spec.name, (row,), (dtype,), lambda x, ws: Activation(layer(_shown(x), ws[:, row], dtype=dtype)))


def _shown(activation: Activation | None) -> Tensor:
    assert activation is not None, "only the first step has nothing before it"
    return activation.shown


def _taps(source: InputSpec, specs: tuple[LayerSpec, ...]) -> tuple[TapInfo, ...]:
    """Every tappable place: the input, each layer, and the scaled picture."""
    taps = [TapInfo("input", source.channels, source.size, source.sampling_rate, row=0)]
    for row, spec in enumerate(specs, start=1):
        dtype = "float16" if spec.use_fp16 else "float32"
        taps.append(TapInfo(spec.name, spec.out_channels, spec.out_size, float(spec.out_sampling_rate), dtype, spec, row))
    last = specs[-1]
    return (*taps, TapInfo("output", last.out_channels, last.out_size, float(last.out_sampling_rate)))

"""StyleGAN2, rungs A to C of the ladder: convolutions with or without noise inputs, pictures by skip, orig or resnet.

The first block starts from a learned constant (A), or from Fourier features that can be posed (B, C).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from networks.fourier_input import FourierInput
from networks.generator import Conditions, Generator
from networks.layer_rule import input_spec
from networks.noise import GivenNoise, noise_image
from networks.spec import GeneratorConfig, TapInfo
from networks.steps import Activation, Step
from networks.stylegan2_blocks import Block, NoisyConv, doubled

BRANCH_GAIN = math.sqrt(0.5)  # of both branches of a residual block, so that their sum keeps its variance


class Carried(NamedTuple):
    """What goes from step to step: the features, the picture so far, and a residual block's straight branch."""

    features: Tensor
    picture: Tensor | None = None
    branch: Tensor | None = None


class StyleGAN2Synthesis(nn.Module):
    """Holds the blocks under their published names: `b4`, `b8`, ...; before them, instead of b4's constant, `input`."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.input = FourierInput(input_spec(config), config.w_dim, learns_pose=False) if config.fourier_input else None
        for power in range(2, int(math.log2(config.img_resolution)) + 1):
            self.add_module(f"b{2**power}", Block(2**power, config))

    @property
    def blocks(self) -> list[Block]:
        """The blocks, coarse to fine."""
        return [block for block in self.children() if isinstance(block, Block)]


class StyleGAN2Generator(Generator):
    """Rungs A to C. b4's conv1 reads row 0; each later block's conv0, conv1, torgb read three rows, the first of which is the
    row of the torgb before it.
    """

    synthesis: StyleGAN2Synthesis

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.has_noise = config.use_noise
        self.synthesis = StyleGAN2Synthesis(config)
        size = (config.img_resolution, config.img_resolution)
        source = self.synthesis.input
        first = [] if source is None else [TapInfo("input", source.spec.channels, source.spec.size, source.sampling_rate)]
        output = TapInfo("output", config.img_channels, size, float(config.img_resolution))
        self.taps = (*first, *(tap for block in self.synthesis.blocks for tap in _taps(block, config.img_channels)), output)

    def _steps(self, conditions: Conditions) -> list[Step]:
        steps = []
        if self.synthesis.input is not None:
            steps.append(_carrying(self._input_step(self.synthesis.input, conditions)))
        for block in self.synthesis.blocks:
            dtype = torch.float16 if conditions.half and block.use_fp16 else torch.float32
            if block.conv0 is not None:
                steps.append(_conv0_step(block, block.conv0, conditions.noise, dtype))
            steps.append(_conv1_step(block, conditions.noise, dtype))
            steps.append(Step(block.name, (), (), lambda before, _: _merged(_carried(before))))
            if block.torgb is not None:
                steps.append(_torgb_step(block))
        return [*steps, Step("output", (), (), lambda before, _: _finished(_carried(before)))]


def _carrying(step: Step) -> Step:
    """The same step, leaving its result as features for the first block."""

    def run(before: Activation | None, ws: Tensor) -> Activation:
        features = step.run(before, ws).shown
        return Activation(features, Carried(features))

    return replace(step, run=run)


def _conv0_step(block: Block, conv: NoisyConv, noise: str | int | GivenNoise, dtype: torch.dtype) -> Step:
    """Double the resolution; a residual block also sends its input along the straight branch."""
    name, row = f"{block.name}.conv0", block.first_row

    def run(before: Activation | None, ws: Tensor) -> Activation:
        carried = _carried(before)
        source = carried.features.to(dtype)
        x = conv(source, ws[:, row], noise_image(conv, name, noise, ws))
        branch = block.skip(source) if block.skip is not None else None
        return Activation(x, Carried(x, carried.picture, branch))

    return Step(name, (row,), (noise, dtype), run)


def _conv1_step(block: Block, noise: str | int | GivenNoise, dtype: torch.dtype) -> Step:
    """Convolve at the block's resolution; in the first block, the constant or the Fourier features."""
    name, row = f"{block.name}.conv1", block.first_row + (block.conv0 is not None)

    def run(before: Activation | None, ws: Tensor) -> Activation:
        carried = _carried(before) if block.const is None else Carried(block.const.expand(ws.shape[0], -1, -1, -1))
        x = block.conv1(carried.features.to(dtype), ws[:, row], noise_image(block.conv1, name, noise, ws))
        return Activation(x, carried._replace(features=x))

    return Step(name, (row,), (noise, dtype), run)


def _merged(carried: Carried) -> Activation:
    """The block's features: conv1's, plus the straight branch where there is one."""
    x = carried.features if carried.branch is None else (carried.features + carried.branch) * BRANCH_GAIN
    return Activation(x, Carried(x, carried.picture))


def _torgb_step(block: Block) -> Step:
    """The block's contribution to the picture (shown), added to the picture so far (carried)."""
    torgb, row = block.torgb, block.first_row + 1 + (block.conv0 is not None)
    assert torgb is not None

    def run(before: Activation | None, ws: Tensor) -> Activation:
        carried = _carried(before)
        rgb = torgb(carried.features, ws[:, row])
        picture = rgb if carried.picture is None else doubled(carried.picture, block.resample_filter) + rgb
        return Activation(rgb, Carried(carried.features, picture))

    return Step(f"{block.name}.torgb", (row,), (), run)


def _finished(carried: Carried) -> Activation:
    assert carried.picture is not None, "the last block has a torgb in every architecture"
    return Activation(carried.picture)


def _carried(activation: Activation | None) -> Carried:
    assert activation is not None, "only the first convolution has nothing before it"
    assert isinstance(activation.carried, Carried)
    return activation.carried


def _taps(block: Block, img_channels: int) -> list[TapInfo]:
    """conv0, conv1, the block's features, torgb: in the order of the steps."""
    second = block.first_row + (block.conv0 is not None)
    places = [("conv0", block.channels, block.first_row)] if block.conv0 is not None else []
    places += [("conv1", block.channels, second), ("", block.channels, None)]
    places += [("torgb", img_channels, second + 1)] if block.torgb is not None else []
    size, rate = (block.resolution, block.resolution), float(block.resolution)
    dtype = "float16" if block.use_fp16 else "float32"
    return [TapInfo(f"{block.name}.{n}".rstrip("."), channels, size, rate, dtype, row=row) for n, channels, row in places]

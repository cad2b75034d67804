"""What every generator has in common: mapping with truncation, and synthesis as memorable steps.

The pose, the noise and the tapped layer are arguments, never buffers: no method changes the network, so several views
and threads can share one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from networks.fourier_input import FourierInput
from networks.fully_connected import MappingNetwork
from networks.layers import draw_all_weights
from networks.noise import GivenNoise
from networks.spec import GeneratorConfig, TapInfo
from networks.steps import Activation, Memo, Step, chain_keys, furthest, run_steps
from torch_utils.sending import sent

if TYPE_CHECKING:
    from networks.editing import TapEdits

Matrix = npt.NDArray[np.float64]
MatrixLike = Matrix | Sequence[Sequence[float]]


@dataclass(frozen=True)
class Conditions:
    """What synthesis depends on besides ws, checked and in hashable form.

    `inverse` is the inverse of the pose's forward matrix (rows), None for no pose; `learned` replaces the learned pose;
    `half` says whether the layers of the fp16 rule really run in float16. Inverse and learned pose may be tensors that are
    changed between two runs of the same steps; such steps have no keys.
    """

    inverse: tuple[tuple[float, ...], ...] | Tensor | None = None
    noise: str | int | GivenNoise = "const"
    learned: tuple[float, ...] | Tensor | None = None
    half: bool = False


class Generator(nn.Module):
    """Base of the generators: holds `mapping` and `synthesis`; a subclass says which steps synthesis takes."""

    mapping: MappingNetwork
    synthesis: nn.Module
    taps: tuple[TapInfo, ...]
    has_noise = False

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.z_dim = config.z_dim
        self.c_dim = config.c_dim
        self.w_dim = config.w_dim
        self.num_ws = config.num_ws
        self.img_resolution = config.img_resolution
        self.img_channels = config.img_channels
        self.mapping = MappingNetwork(config.z_dim, config.c_dim, config.w_dim, config.mapping)
        self.edits: Mapping[str, TapEdits] = {}  # of activations, by tap (`networks.editing`)
        self._identity = _Identity()

    @property
    def identity(self) -> Hashable:
        """Tells this network from all others, for as long as it is kept; not from those that only edit its activations."""
        return self._identity

    @property
    def w_avg(self) -> Tensor:
        """The mean of w over latents [w_dim], which truncation pulls towards."""
        return self.mapping.w_avg

    @property
    def fourier_input(self) -> FourierInput | None:
        """The Fourier input; None for StyleGAN2's constant."""
        found = getattr(self.synthesis, "input", None)
        return found if isinstance(found, FourierInput) else None

    @property
    def has_pose(self) -> bool:
        """Whether the network can be posed: whether it has an input grid to move."""
        return self.fourier_input is not None

    @property
    def base_transform(self) -> Matrix:
        """The transform stored in the network's own input (an inverse matrix, 3x3); the identity for most."""
        source = self.fourier_input
        return np.eye(3) if source is None else source.transform.detach().cpu().numpy().astype(np.float64)

    def map(self, z: Tensor, c: Tensor | None = None, *, psi: float = 1.0, cutoff: int | None = None) -> Tensor:
        """z [N, z_dim], c [N, c_dim] -> ws [N, num_ws, w_dim], the first `cutoff` rows (None: all) truncated by psi.

        w' = w_avg + psi (w - w_avg). Raises ValueError if z, c or cutoff does not fit.
        """
        if cutoff is not None and cutoff < 0:
            raise ValueError(f"cutoff must be None or at least 0, not {cutoff}")
        w = self.mapping(z, c)
        ws = w[:, None, :].repeat(1, self.num_ws, 1)
        if psi != 1:
            ws[:, :cutoff] = self.w_avg.lerp(ws[:, :cutoff], psi)
        return ws

    def synthesize(
        self,
        ws: Tensor,
        *,
        pose: MatrixLike | None = None,
        noise: str | int = "const",
        tap: str | None = None,
        learned_pose: Sequence[float] | None = None,
        force_fp32: bool = True,
        memo: Memo | None = None,
        superseded: Callable[[], bool] | None = None,
        row_names: Sequence[Hashable] | None = None,
    ) -> Tensor | None:
        """ws [N, num_ws, w_dim] -> the picture, or the tensor at `tap`: [N, C, H, W] float32. Writes nothing anywhere.

        `pose` is the forward 3x3 matrix in image widths (rotate, then translate; x right, y down); `noise` "const",
        "none", or the seed of fresh noise; `learned_pose` four numbers (r_c, r_s, t_x, t_y) in place of those learned
        from w. Layers of the fp16 rule run in float16 only on a CUDA device and only with `force_fp32=False`.
        With a `memo`, steps are looked up and stored there (then no gradient is kept); `superseded()` is asked before
        each step, and when it says True the answer is None. `row_names` say what made each row of ws, in place of its values in the
        memo's keys (see `chain_keys`). Raises ValueError for a tap, pose or noise that the network does not have.
        """
        if ws.ndim != 3 or ws.shape[1:] != (self.num_ws, self.w_dim):
            raise ValueError(f"ws has shape {tuple(ws.shape)}, but must be [N, {self.num_ws}, {self.w_dim}]")
        half = not force_fp32 and ws.device.type == "cuda"
        steps = self.steps(self.conditions(pose=pose, noise=noise, learned_pose=learned_pose, half=half), tap)
        with torch.set_grad_enabled(torch.is_grad_enabled() and memo is None):
            keys = chain_keys(steps, ws, self._identity, (str(ws.device), self.weights_version()), row_names) if memo is not None else ()
            activation = run_steps(steps, ws, keys=keys, memo=memo, superseded=superseded)
        return None if activation is None else activation.shown.to(torch.float32)

    def conditions(
        self,
        *,
        pose: MatrixLike | None = None,
        noise: str | int = "const",
        learned_pose: Sequence[float] | None = None,
        half: bool = False,
    ) -> Conditions:
        """The arguments of `synthesize`, checked, and what this network does not have left out. Raises ValueError."""
        noise = _checked_noise(noise) if self.has_noise else "none"
        return Conditions(self._inverse(pose), noise, self._learned(learned_pose), half)

    def steps(self, conditions: Conditions, tap: str | None = None) -> list[Step]:
        """The steps of synthesis up to a tap (None: the picture). Raises ValueError for a tap that does not exist."""
        steps = self._steps(conditions)[: self._tap_index(tap) + 1]
        return [self.edits[step.name].step(step) if step.name in self.edits else step for step in steps] if self.edits else steps

    def remembered(
        self, ws: Tensor, steps: Sequence[Step], memo: Memo, row_names: Sequence[Hashable] | None = None, version: int | None = None
    ) -> int:
        """How many of the steps a memo makes unnecessary. `version` is `weights_version()`, where that is known."""
        origin = (str(ws.device), self.weights_version() if version is None else version)
        return furthest(chain_keys(steps, ws, self._identity, origin, row_names), memo)[1]

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor | None:
        """The picture of a latent, untruncated, for training: gradients are kept."""
        return self.synthesize(self.map(z, c))

    def learned_pose(self, w: Tensor) -> Tensor:
        """The normalised pose (r_c, r_s, t_x, t_y) [N, 4] that the network derives from w [N, w_dim]; before rung H the identity."""
        source = self.fourier_input
        if source is None:
            raise ValueError(f"a {self.config.family} generator with a constant input has no learned pose")
        return source.learned_pose(w)

    def draw_weights(self, generator: torch.Generator) -> None:
        """Give every layer the weights of an untrained network."""
        draw_all_weights(self.mapping, generator)
        draw_all_weights(self.synthesis, generator)

    def _steps(self, conditions: Conditions) -> list[Step]:
        """One step for each of `taps`, in the same order."""
        raise NotImplementedError

    def _input_step(self, source: FourierInput, conditions: Conditions) -> Step:
        """The first step of a network with a Fourier input. It reads row 0 of ws only for a pose that is learned and not replaced."""
        rows = (0,) if source.affine is not None and conditions.learned is None else ()

        def run(_: Activation | None, ws: Tensor) -> Activation:
            replaced = conditions.learned
            pose = source.learned_pose(ws[:, 0]) if replaced is None else _on(ws, replaced).expand(ws.shape[0], 4)
            inverse = None if conditions.inverse is None else _on(ws, conditions.inverse)
            return Activation(source(pose, inverse))

        return Step("input", rows, (conditions.inverse, conditions.learned), run)

    def _tap_index(self, tap: str | None) -> int:
        if tap is None:
            return len(self.taps) - 1
        for index, info in enumerate(self.taps):
            if info.name == tap:
                return index
        raise ValueError(f"there is no layer {tap!r}; there are {', '.join(info.name for info in self.taps)}")

    def _inverse(self, pose: MatrixLike | None) -> tuple[tuple[float, ...], ...] | None:
        """The inverse of a forward matrix; None for none and for the identity."""
        if pose is None:
            return None
        matrix = np.asarray(pose, dtype=np.float64)
        if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-12:
            raise ValueError(f"pose must be an invertible 3x3 matrix, not {matrix.tolist()}")
        if np.array_equal(matrix, np.eye(3)):
            return None
        if not self.has_pose:
            raise ValueError(f"a {self.config.family} generator cannot be posed: it has no Fourier input")
        return tuple(tuple(row) for row in np.linalg.inv(matrix).tolist())

    def _learned(self, learned_pose: Sequence[float] | None) -> tuple[float, ...] | None:
        if learned_pose is None or not self.has_pose:
            return None
        values = tuple(float(value) for value in learned_pose)
        length = float(np.hypot(*values[:2])) if len(values) == 4 else 0.0
        if not np.isfinite(values).all() or length < 1e-6:
            raise ValueError(f"learned_pose must be four numbers (r_c, r_s, t_x, t_y) with a rotation in them, not {values}")
        return tuple(value / length for value in values)

    def weights_version(self) -> int:
        """Counts in-place changes of the weights, so that training or loading makes no remembered step come back."""
        return sum(0 if tensor.is_inference() else tensor._version for tensor in _tensors(self.synthesis))


def _on(ws: Tensor, values: Tensor | tuple) -> Tensor:
    return values if isinstance(values, Tensor) else sent(values, ws.device, ws.dtype)


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    """All parameters and buffers, several times what is shared: asked for every picture, in half the time of `parameters()`."""
    for held in (module._parameters, module._buffers):
        yield from (tensor for tensor in held.values() if tensor is not None)
    for child in module._modules.values():
        if child is not None:
            yield from _tensors(child)


class _Identity:
    """Tells networks apart in memo keys; a copied network gets its own."""

    __slots__ = ()


def _checked_noise(noise: str | int) -> str | int:
    if noise in ("const", "none") or (isinstance(noise, int) and not isinstance(noise, bool)):
        return noise
    raise ValueError(f'noise must be "const", "none" or an integer seed, not {noise!r}')

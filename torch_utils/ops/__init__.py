"""The five operators of the generators. Each has a reference in plain torch and may have faster backends: see `dispatch`.

They never change their arguments; where there is nothing to do, the result may be the argument itself.
"""

from .bias_act import bias_act
from .dispatch import Backend, BackendError, Unavailable, backends, decisions, use
from .doubling_conv2d import doubling_conv2d
from .filtered_lrelu import filtered_lrelu
from .modulated_conv2d import demodulation, modulated_conv2d, weight_energy
from .upfirdn2d import upfirdn2d

__all__ = [
    "Backend",
    "BackendError",
    "Unavailable",
    "backends",
    "bias_act",
    "decisions",
    "demodulation",
    "doubling_conv2d",
    "filtered_lrelu",
    "modulated_conv2d",
    "upfirdn2d",
    "use",
    "weight_energy",
]

"""What a control is called, means and may hold; and the response of sliders that are finer near zero. No ImGui here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gui_utils.text import unit_text


@dataclass(frozen=True)
class Field:
    """label: "" leaves out the label column.   id: "Group.field", unique in the window.   default: None = cannot be reset.

    low, high: the range of the control.   decimals: digits shown.   power: response of a slider,
    value = sign(u) * range * |u|^power, mirrored around zero (or from `low` up, where the range does not cross zero).
    logarithmic: a slider's equal steps are equal factors.
    speed: what dragging by one pixel adds (drag controls).   step: the - and + buttons (input controls); Ctrl: 100 steps.
    """

    label: str
    id: str
    help: str = ""
    unit: str = ""
    symbol: str = ""
    default: Any = None
    low: float = 0.0
    high: float = 1.0
    decimals: int = 2
    power: float = 1.0
    logarithmic: bool = False
    speed: float = 0.01
    step: float = 1

    def format(self, kind: str = "f") -> str:
        """printf format with the unit, as Dear ImGui wants it."""
        unit = unit_text(self.unit).replace("%", "%%")
        return (f"%.{self.decimals}f" if kind == "f" else "%d") + unit

    def clamp(self, value: float) -> float:
        return float(min(max(value, self.low), self.high))


def short(value: float) -> float:
    """The shortest decimal that is the same float32: 0.1 instead of 0.10000000149."""
    return float(str(np.float32(value)))


def power_to_unit(field: Field, value: float) -> float:
    """Slider position u of a value: from -1 to 1 if the range crosses zero, else from 0 to 1."""
    value = field.clamp(value)
    if field.low < 0 < field.high:
        reach = field.high if value >= 0 else -field.low
        return math.copysign((abs(value) / reach) ** (1 / field.power), value)
    return ((value - field.low) / (field.high - field.low)) ** (1 / field.power)


def unit_to_power(field: Field, u: float) -> float:
    """Value at slider position u: sign(u) * range * |u|^power."""
    if field.low < 0 < field.high:
        reach = field.high if u >= 0 else -field.low
        return math.copysign(reach * abs(u) ** field.power, u)
    return field.low + (field.high - field.low) * u**field.power

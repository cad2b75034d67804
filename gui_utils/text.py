"""Numbers as the screen shows them: real units, one style of missing value, signs that line up. No ImGui here."""

from __future__ import annotations

import math

MISSING = "—"  # for a number that does not exist; never 0 or nan


def number_text(value: float | None, unit: str = "", decimals: int = 1) -> str:
    """Like 41.3 dB, with a real minus sign; an em dash for None, NaN and what does not exist. The unit stays with the number.

    Infinities are shown as such: a perfect match has an infinite PSNR. Units that hug the number (°, %, ×) get no space.
    """
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        text = "∞" if value > 0 else "−∞"
    else:
        text = f"{value:.{decimals}f}"
        text = text.lstrip("-") if float(text) == 0 else text.replace("-", "−")
    return text + unit_text(unit)


def signed_text(value: float | None, unit: str = "", decimals: int = 1) -> str:
    """As `number_text`, with a plus before what is not negative."""
    return signed(number_text(value, unit, decimals))


def signed(text: str) -> str:
    """A number's text with a plus, where it has no minus and the number exists."""
    return text if text == MISSING or text.startswith("−") else f"+{text}"


def unit_text(unit: str) -> str:
    """The unit with the space it needs before it."""
    return unit if unit in ("", "°", "×") else " " + unit


def size_text(count: float | None) -> str:
    """Bytes in the largest fitting binary unit: "1.5 MiB"."""
    if count is None or math.isnan(count):
        return MISSING
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")


def duration_text(seconds: float | None) -> str:
    """Like 41 ms, 3.2 s, 2 min 05 s."""
    if seconds is None or math.isnan(seconds):
        return MISSING
    if seconds < 0.01:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"

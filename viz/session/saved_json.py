"""Reads saved views and sessions: what is wrong is a StateError that names the field and what it holds. Standard library only."""

from __future__ import annotations

import json
import math
from typing import Any

LARGEST_TEXT = 64 << 20  # characters of a session


class StateError(ValueError):
    """A saved view cannot be read: says which field, what it holds, and what it may hold."""


def parsed(text: str, what: str) -> Any:
    """The JSON value of `text`; `what` is expected in it ("a saved view")."""
    check_length(text, what)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as e:  # ValueError: also a whole number of thousands of digits
        raise StateError(f"not {what}: {e}") from e


def check_length(text: str, what: str) -> None:
    """Raises StateError for a text whose values would take gigabytes."""
    if len(text) > LARGEST_TEXT:
        raise StateError(f"not {what}: {len(text):,} characters are more than {LARGEST_TEXT:,}")


def checked(data: Any, what: str, format: str) -> dict[str, Any]:
    """`data`, if it is an object of this format and of any version."""
    if not isinstance(data, dict) or data.get("format") != format:
        raise StateError(f'not {what}: an object with "format": "{format}" is expected')
    if not isinstance(data.get("version"), int) or data["version"] < 1:
        raise StateError(f"version is {data.get('version')!r:.80}; a whole number from 1 is expected")
    return data


def typed(data: dict[str, Any], name: str, kind: type, default: Any) -> Any:
    """The field `name`, of exactly this type."""
    value = data.get(name, default)
    if type(value) is not kind:
        raise StateError(f"{name} is {str(value)[:80]!r}; {kind.__name__} is expected")
    return value


def number(data: dict[str, Any], name: str, default: float) -> float:
    """The field `name`, a finite number."""
    return finite(name, data.get(name, default))


def finite(name: str, value: Any) -> float:
    """`value` as a float."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:  # a whole number beyond 1e308
        pass
    raise StateError(f"{name} is {value!r:.80}; a finite number is expected")

"""Measured values as JSON, or as a .csv with one row for each layer, point or octave, or a single one; what was asked is in every row."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch_utils.atomic import atomic
from viz.session.origin import running_command

LONGEST_LIST = 4  # as text in one cell (a translation, a scan line); longer ones are for .json and .npz


def as_json(facts: Mapping[str, Any]) -> str:
    """What --json prints: one object, and in it the command that makes it again, as every file has it."""
    return json.dumps({**facts, "command": running_command()}, indent=1, allow_nan=False)


def rows_of(facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """Facts as --json prints them: the list of objects among them becomes rows, everything else columns that all rows have."""
    listed = next((key for key, value in facts.items() if _is_rows(value)), "")
    shared = dict(_cells({key: value for key, value in facts.items() if key != listed and not _is_long(value)}))
    rows = [dict(_cells(row)) for row in facts.get(listed, [{}])]
    return [{**shared, **{f"{listed}.{name}" if name in shared else name: text for name, text in row.items()}} for row in rows]


def save_table(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """The command that makes it again, after a #, then names, then values; "" where there is none. Raises OSError."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {running_command()}\n")
        table = csv.DictWriter(file, names, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def _is_rows(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(one, Mapping) for one in value)


def _is_long(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > LONGEST_LIST


def _cells(facts: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    """Names and texts; objects in objects by "outer.inner"."""
    for key, value in facts.items():
        if isinstance(value, Mapping):
            yield from _cells(value, f"{place}{key}.")
        elif not isinstance(value, list | tuple):
            yield f"{place}{key}", _text(value)
        elif not any(isinstance(one, list | tuple | Mapping) for one in value):
            yield f"{place}{key}", " ".join(map(_text, value))


def _text(value: Any) -> str:
    """Numbers with all their digits; true and false as JSON has them."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)

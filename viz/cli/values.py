"""`--set GROUP.FIELD=VALUE`: any value of the view from the command line, checked like a saved view."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from viz.cli.broken import HELP as BREAK_HELP, Breaking, breaking, refused_value
from viz.cli.edits import HELP as EDIT_HELP, Editing, editing
from viz.errors import CommandError
from viz.state import GROUPS, StateError, ViewState

EXAMPLE = "BreakIt.window=nearest"


def add_set_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--set", metavar="GROUP.FIELD=VALUE", dest="settings", action="append", default=[], type=setting,
                        help=f"any value of the view, as a saved view names it, e.g. {EXAMPLE}; may be repeated")  # fmt: skip
    parser.add_argument("--break", metavar="LAYERS:NAME=VALUE", dest="settings", action="append", type=breaking, help=BREAK_HELP)
    parser.add_argument("--edit", metavar="LAYERS:CHANNELS:WHAT=AMOUNT", dest="settings", action="append", type=editing, help=EDIT_HELP)


def setting(text: str) -> tuple[str, str, Any]:
    """argparse type: (group, field, value). A value is JSON, or text as it stands."""
    place, equals, value = text.partition("=")
    group, dot, field = place.strip().partition(".")
    if not equals or not dot or not group or not field:
        raise argparse.ArgumentTypeError(f"{text!r} is not GROUP.FIELD=VALUE, such as {EXAMPLE}")
    try:
        return group, field, json.loads(value)
    except json.JSONDecodeError:
        return group, field, value


def with_settings(view: ViewState, settings: Sequence[tuple[str, str, Any] | Breaking | Editing]) -> ViewState:
    """The view with these values. Raises CommandError for a group, field or value that does not exist, in the view as given, too."""
    try:
        ViewState.from_dict(view.to_dict())
    except StateError as e:
        raise CommandError(str(e)) from e
    kinds = {kind.__name__: kind for kind in GROUPS}
    for change in settings:
        if isinstance(change, Breaking | Editing):
            view = change.applied(view)
            continue
        group, field, value = change
        if group not in kinds:
            near = next((name for name in kinds if name.lower() == group.lower()), "") or next(
                iter(get_close_matches(group, kinds, n=1)), ""
            )
            instead = f"did you mean {near}?" if near else f"there are {', '.join(sorted(kinds))}"
            raise CommandError(f"--set {group}.{field}: there is no group {group}; {instead}")
        known = kinds[group].__dataclass_fields__
        if field not in known:
            raise CommandError(f"--set {group}.{field}: {group} has no {field}; it has {', '.join(known)}")
        if said := refused_value(field, value):
            raise CommandError(f"--set {group}.{field}={value}: {said}")
        data = view.to_dict()
        data[group] = {**data.get(group, {}), field: value}
        try:
            view = ViewState.from_dict(data)
        except StateError as e:
            raise CommandError(f"--set {e}") from e
    return view

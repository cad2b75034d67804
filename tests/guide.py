"""Makes the guide's page of keys anew from the table that handles them: `python -m tests.guide`."""

from __future__ import annotations

import sys

from viz import keys
from viz.guide.text import FOLDER

PATH = FOLDER / "keys.md"


def page() -> str:
    """Markdown of all bindings and gestures, as in the help sheet."""
    lines = ["# Keys and gestures", "", "F1 shows the same in the window. While text is typed, keys belong to the text.", ""]
    lines += ["## On the picture", "", *_table("gesture", keys.GESTURES)]
    for group in dict.fromkeys(binding.group for binding in keys.BINDINGS):
        lines += [f"## {group}", "", *_table("key", keys.rows(group))]
    return "\n".join(lines).rstrip() + "\n"


def _table(head: str, rows: tuple[tuple[str, str], ...]) -> list[str]:
    return [f"| {head} | does |", "| --- | --- |", *(f"| {_cell(key)} | {_cell(text)} |" for key, text in rows), ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    PATH.write_text(page(), encoding="utf-8")
    print(PATH)
    return 0


if __name__ == "__main__":
    sys.exit(main())

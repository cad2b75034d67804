"""The user guide's pages as blocks: the part of Markdown that they use. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
PAGES = (
    "first-minute", "demonstrations", "panels", "compare-and-films", "beyond-the-window", "training", "numbers", "keys", "formats",
    "troubleshooting", "coming-from",
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """kind: "h1" to "h3", "text", "item", "code" or "table" (then `rows`, the first of them the heads)."""

    kind: str
    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


def source(page: str) -> str:
    """The Markdown of a page."""
    return (FOLDER / f"{page}.md").read_text(encoding="utf-8")


@cache
def blocks(page: str) -> tuple[Block, ...]:
    """The page, ready to be drawn."""
    return tuple(parse(source(page)))


def title(page: str) -> str:
    return next((block.text for block in blocks(page) if block.kind == "h1"), page)


def parse(text: str) -> Iterator[Block]:
    """Headings, paragraphs, list items, fenced code and tables; everything else is a paragraph."""
    chunk: list[str] = []
    fenced = False
    for line in [*text.splitlines(), ""]:
        if line.startswith("```"):
            if fenced:
                yield Block("code", "\n".join(chunk))
            else:
                yield from _paragraph(chunk)
            chunk, fenced = [], not fenced
        elif fenced:
            chunk.append(line)
        elif heading := re.match(r"(#{1,3}) (.+)", line):
            yield from _paragraph(chunk)
            chunk = []
            yield Block(f"h{len(heading[1])}", plain(heading[2]))
        elif not line.strip() or (chunk and line.startswith("- ")):
            yield from _paragraph(chunk)
            chunk = [line] if line.strip() else []
        else:
            chunk.append(line)


def _paragraph(lines: list[str]) -> Iterator[Block]:
    if not lines:
        return
    if lines[0].startswith("|"):
        rows = [tuple(plain(cell) for cell in _cells(line)) for line in lines if not re.fullmatch(r"[|\s:-]+", line)]
        yield Block("table", rows=tuple(rows))
    elif lines[0].startswith("- "):
        yield Block("item", plain(" ".join(line.strip() for line in lines)[2:]))
    else:
        yield Block("text", plain(" ".join(line.strip() for line in lines)))


def _cells(line: str) -> list[str]:
    """A vertical bar within a cell is written with a backslash before it."""
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def plain(text: str) -> str:
    """Without the marks for links, emphasis and code."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text).replace("**", "").replace("`", "")
    return re.sub(r"\*(\w[^*]*)\*", r"\1", text)

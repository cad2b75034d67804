"""Where each of several views stands: rows and columns of cells of one size. Pure."""

from __future__ import annotations

import math

IN_FILES = {1: 1, 2: 2, 3: 3, 4: 2}  # columns, where none are asked for
IN_WINDOW = {1: (1,), 2: (2, 1), 3: (3, 2, 1), 4: (2, 4, 1)}  # what is tried, the usual first
WIDEST = 1.1  # a cell, of its height: square pictures stand close together
MUCH_LARGER = 1.25  # another arrangement must make pictures so much larger


def columns_in_files(count: int, wanted: int) -> int:
    """Columns of `count` views in a file, whose cells are as large as they must be."""
    return min(wanted, count) if wanted else IN_FILES[count]


def columns_in_window(count: int, wanted: int, size: tuple[float, float], gap: float, above: float) -> int:
    """The columns that make square pictures largest in a part of the window (width, height); `above` is kept free in each cell.

    The usual one unless another makes them much larger.
    """
    if wanted:
        return min(wanted, count)

    def side(columns: int) -> float:
        width, height = cell_size(count, columns, size, gap)
        return min(width, height - above)

    usual = IN_WINDOW[count][0]
    best = max(IN_WINDOW[count], key=side)
    return best if side(best) >= MUCH_LARGER * side(usual) else usual


def cell_size(count: int, columns: int, size: tuple[float, float], gap: float) -> tuple[float, float]:
    """(width, height) of each of `count` cells within `size`, whole numbers."""
    rows = math.ceil(count / columns)
    return tuple(max(1.0, math.floor((length - gap * (n - 1)) / n)) for length, n in zip(size, (columns, rows), strict=True))  # type: ignore[return-value]


def cells_in_window(
    count: int, columns: int, size: tuple[float, float], gap: float, *, above: float = 0.0, least: float = 0.0
) -> list[tuple[float, float, float, float]]:
    """(left, top, width, height) of each view within `size`. Where columns would stand far apart, they come together in the middle.

    above: what is kept free in each cell; least: no column becomes narrower than this.
    """
    full, height = cell_size(count, columns, size, gap)
    width = min(full, max(least, math.floor(WIDEST * (height - above)))) if columns > 1 else full
    left = math.floor((size[0] - columns * width - gap * (columns - 1)) / 2) if width < full else 0
    found = []
    for column, row in (cell_at(i, columns) for i in range(count)):
        last = width == full and columns > 1 and column == columns - 1  # at the edge, whatever was lost by rounding
        found.append((size[0] - width if last else left + column * (width + gap), row * (height + gap), width, height))
    return found


def cell_at(index: int, columns: int) -> tuple[int, int]:
    """(column, row) of the view at this place in the order of views, from 0."""
    return index % columns, index // columns

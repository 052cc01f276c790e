"""A curve in braille characters: two points across and four down in each, so that eighty columns show a month of equity."""

import numpy as np

from services.backtester.metrics.figure import Floats

_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_EMPTY = 0x2800


def chart(times: Floats, values: Floats, width: int, height: int) -> list[str]:
    """Lines of `width` characters, the highest first: the value at each place in time, joined from top to bottom.

    Columns are equal spans of time; where one has several values, all between its lowest and its highest are drawn.
    """
    columns, rows = 2 * width, 4 * height
    low, high = float(values.min()), float(values.max())
    scale = (rows - 1) / (high - low) if high > low else 0.0
    place = np.minimum(((times - times[0]) / max(float(times[-1] - times[0]), 1.0) * columns).astype(int), columns - 1)
    cells = np.full((height, width), _EMPTY, dtype=int)
    row = rows // 2 if scale == 0 else 0
    for column in range(columns):
        found = values[place == column]
        levels = rows - 1 - ((found - low) * scale).round().astype(int) if scale else np.full(found.size, row)
        before = row
        top, bottom = (min(*levels, before), max(*levels, before)) if levels.size else (before, before)
        row = int(levels[-1]) if levels.size else before
        for level in range(int(top) if column else row, (int(bottom) if column else row) + 1):
            cells[level // 4, column // 2] |= _DOTS[column % 2][level % 4]
    return ["".join(map(chr, line)) for line in cells]

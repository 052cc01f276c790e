"""A picture of the last hours as PNG: candles, and the levels of a signal as lines with their names; drawn with Pillow."""

import datetime as dt
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

_WIDTH, _HEIGHT = 800, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 16, 150, 44, 32
_PAPER, _INK, _DIM, _GRID = (19, 23, 34), (222, 226, 235), (132, 140, 158), (42, 48, 63)
# Blue and orange, not green and red: told apart by everybody, and hollow or full besides.
_UP, _DOWN = (76, 141, 255), (245, 138, 35)
_LEVELS = {"stop": (229, 72, 77), "price": (222, 226, 235)}
_TARGET = (58, 190, 150)
_GRID_LINES = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A candle; `time_ms`: when it begins (ms, UTC), prices in quote units."""

    time_ms: int
    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True, slots=True)
class Picture:
    """What to draw. `bars`: oldest first, each `step_ms` long; `levels`: prices by name."""

    title: str
    bars: Sequence[Bar]
    step_ms: int
    levels: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class _Scale:
    """From times and prices to pixels."""

    x: Callable[[int], float]
    y: Callable[[float], float]
    half: float


def draw(picture: Picture) -> bytes:
    """The picture as PNG. Raises `ValueError` without bars: an empty frame tells nobody anything."""
    from PIL import Image, ImageDraw, ImageFont

    if not picture.bars:
        raise ValueError("there are no candles to draw")
    image = Image.new("RGB", (_WIDTH, _HEIGHT), _PAPER)
    pen = ImageDraw.Draw(image)
    small, large = ImageFont.load_default(13), ImageFont.load_default(17)
    scale = _scale(picture)
    pen.text((_LEFT, 12), picture.title, fill=_INK, font=large)
    _grid(pen, picture, scale, small)
    for bar in picture.bars:
        _candle(pen, bar, picture.step_ms, scale)
    _levels(pen, picture.levels, scale, small)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _scale(picture: Picture) -> _Scale:
    prices = [float(level) for level in picture.levels.values()]
    low = min([*(bar.low for bar in picture.bars), *prices])
    high = max([*(bar.high for bar in picture.bars), *prices])
    margin = (high - low) * 0.05 or abs(high) * 0.001 or 1.0
    low, high = low - margin, high + margin
    begin, end = picture.bars[0].time_ms, picture.bars[-1].time_ms + picture.step_ms
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    return _Scale(
        x=lambda time: _LEFT + (time - begin) / (end - begin) * width,
        y=lambda price: _TOP + (high - price) / (high - low) * height,
        half=max(1.0, picture.step_ms / (end - begin) * width * 0.35),
    )


def _grid(pen: "ImageDraw", picture: Picture, scale: _Scale, font: "FreeTypeFont | ImageFont") -> None:
    first, last = picture.bars[0].time_ms, picture.bars[-1].time_ms + picture.step_ms
    for number in range(_GRID_LINES + 1):
        time = first + (last - first) * number // _GRID_LINES
        x = scale.x(time)
        pen.line((x, _TOP, x, _HEIGHT - _BOTTOM), fill=_GRID)
        words = dt.datetime.fromtimestamp(time / 1000, dt.UTC).strftime("%H:%M")
        pen.text((min(x, _WIDTH - _RIGHT - 40), _HEIGHT - _BOTTOM + 8), words, fill=_DIM, font=font)
    pen.text((_WIDTH - _RIGHT + 8, _HEIGHT - _BOTTOM + 8), "UTC", fill=_DIM, font=font)


def _candle(pen: "ImageDraw", bar: Bar, step_ms: int, scale: _Scale) -> None:
    rises = bar.close >= bar.open
    colour = _UP if rises else _DOWN
    x = scale.x(bar.time_ms + step_ms // 2)
    pen.line((x, scale.y(bar.high), x, scale.y(bar.low)), fill=colour)
    top, bottom = scale.y(max(bar.open, bar.close)), scale.y(min(bar.open, bar.close))
    box = (x - scale.half, top, x + scale.half, max(bottom, top + 1))
    pen.rectangle(box, fill=_PAPER if rises else colour, outline=colour)


def _levels(pen: "ImageDraw", levels: Mapping[str, Decimal], scale: _Scale, font: "FreeTypeFont | ImageFont") -> None:
    """Lines where the prices are; names pushed apart where they would cover each other."""
    lowest = _TOP - 8.0
    for name, level in sorted(levels.items(), key=lambda item: -item[1]):
        y = scale.y(float(level))
        colour = _LEVELS.get(name, _TARGET)
        for x in range(_LEFT, _WIDTH - _RIGHT, 8):
            pen.line((x, y, x + 4, y), fill=colour)
        place = max(y - 8, lowest)
        pen.text((_WIDTH - _RIGHT + 8, place), f"{name} {level.normalize():f}", fill=colour, font=font)
        lowest = place + 16

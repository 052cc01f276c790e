"""Small charts as SVG whose colours come from the page's theme; each mark says its figure when hovered."""

import math
from collections.abc import Sequence

import msgspec

from services.backtester.report.markup import Html, element, joined
from services.backtester.report.words import number

WIDTH, HEIGHT = 344.0, 204.0
_WIDE = 900.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 54.0, 12.0, 10.0, 34.0


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One bar: its place's name, its length, the class that colours it, and what it says when hovered."""

    name: str
    value: float
    class_: str
    hint: str


class Dot(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of a scatter: a disc when it won, a cross when it lost."""

    x: float
    y: float
    won: bool
    hint: str


class Axis(msgspec.Struct, frozen=True):
    """A linear scale of data to pixels between two multiples of `tick`, with its title."""

    low: float
    high: float
    tick: float
    title: str

    def share(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5


def bars(given: Sequence[Bar], title: str, axis_title: str, *, wide: bool = False) -> Html:
    """Upright bars from zero; names below, as many as fit. `wide`: for a whole row of the page."""
    width = _WIDE if wide else WIDTH
    values = [bar.value for bar in given]
    axis = _nice(min(0.0, *values), max(0.0, *values), axis_title)
    step = (width - _LEFT - _RIGHT) / len(given)
    every = math.ceil(max(len(bar.name) for bar in given) * 7 / step)
    parts = [_grid(axis, width)]
    for place, bar in enumerate(given):
        x, top, bottom = _LEFT + place * step, _y(axis, max(bar.value, 0)), _y(axis, min(bar.value, 0))
        hint = element("title", bar.hint)
        parts.append(
            element(
                *("rect", hint),
                x=x + step * 0.1,
                y=top,
                width=max(step * 0.8, 1.0),
                height=max(bottom - top, 0.6),
                class_=bar.class_,
            )
        )
        if place % every == 0:
            parts.append(_label(bar.name, x + step / 2, HEIGHT - _BOTTOM + 14, "middle"))
    return _framed(parts, title, width)


def lying_bars(given: Sequence[Bar], title: str) -> Html:
    """Bars from left to right with their names above them and what they say beside them."""
    step, most = 34.0, max(abs(bar.value) for bar in given) or 1.0
    parts = []
    for place, bar in enumerate(given):
        y, width = place * step + 16, abs(bar.value) / most * WIDTH
        parts.append(_label(bar.name, 0.0, y - 3, "start", "label strong"))
        parts.append(_label(bar.hint, WIDTH, y - 3, "end"))
        parts.append(element("rect", x=0.0, y=y + 1, width=WIDTH, height=9.0, class_="track"))
        parts.append(element("rect", x=0.0, y=y + 1, width=max(width, 1.0), height=9.0, class_=bar.class_))
    return _framed(parts, title, height=step * len(given) + 4)


def scatter(dots: Sequence[Dot], x_title: str, y_title: str, line: Sequence[tuple[float, float]] = ()) -> Html:
    """Trades as points; `line` joins means of steps."""
    across = _nice(min(dot.x for dot in dots), max(dot.x for dot in dots), x_title)
    up = _nice(min(0.0, *(dot.y for dot in dots)), max(0.0, *(dot.y for dot in dots)), y_title)
    parts = [_grid(up), _across(across)]
    parts += [_dot(dot, _x(across, dot.x), _y(up, dot.y)) for dot in dots]
    if line:
        points = " ".join(f"{_x(across, x):.1f},{_y(up, y):.1f}" for x, y in line)
        parts.append(element("polyline", points=points, class_="mean"))
        parts += [element("circle", cx=_x(across, x), cy=_y(up, y), r=3.2, class_="mean-point") for x, y in line]
    return _framed(parts, f"{y_title} against {x_title}")


def _dot(dot: Dot, x: float, y: float) -> Html:
    hint = element("title", dot.hint)
    if dot.won:
        return element("circle", hint, cx=x, cy=y, r=2.6, class_="dot up-mark")
    cross = f"M{x - 2.4:.1f} {y - 2.4:.1f}l4.8 4.8m0 -4.8l-4.8 4.8"
    return element("path", hint, d=cross, class_="dot down-mark")


def steps(given: Sequence[Bar], title: str, axis_title: str) -> Html:
    """A waterfall: the first and the last bar stand on zero, those between begin where the one before ended."""
    reached, spans = 0.0, list[tuple[float, float]]()
    for place, bar in enumerate(given):
        start = 0.0 if place in (0, len(given) - 1) else reached
        reached = start + bar.value
        spans.append((start, reached))
    axis = _nice(min(0.0, *(min(span) for span in spans)), max(0.0, *(max(span) for span in spans)), axis_title)
    step = (WIDTH - _LEFT - _RIGHT) / len(given)
    parts = [_grid(axis)]
    for place, (bar, (start, end)) in enumerate(zip(given, spans, strict=True)):
        x, top, bottom = _LEFT + place * step, _y(axis, max(start, end)), _y(axis, min(start, end))
        shape = {"x": x + step * 0.15, "y": top, "width": step * 0.7, "height": max(bottom - top, 1.0)}
        parts.append(element("rect", element("title", bar.hint), **shape, class_=bar.class_))
        parts.append(_label(bar.hint, x + step / 2, max(top - 4, 9.0), "middle", "label strong"))
        parts.append(_label(bar.name, x + step / 2, HEIGHT - _BOTTOM + 14, "middle"))
    return _framed(parts, title)


def _nice(low: float, high: float, title: str) -> Axis:
    """The range widened to round numbers."""
    if high <= low:
        high = low + 1.0
    tick = _tick(high - low)
    return Axis(math.floor(low / tick) * tick, math.ceil(high / tick) * tick, tick, title)


def _tick(length: float) -> float:
    """A round distance that divides the length into about five."""
    rough = length / 5
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * step for step in (1, 2, 2.5, 5, 10) if power * step >= rough * 0.999)


def _ticks(axis: Axis) -> list[float]:
    return [axis.low + place * axis.tick for place in range(round((axis.high - axis.low) / axis.tick) + 1)]


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - _BOTTOM - axis.share(value) * (HEIGHT - _BOTTOM - _TOP)


def _x(axis: Axis, value: float) -> float:
    return _LEFT + axis.share(value) * (WIDTH - _LEFT - _RIGHT)


def _grid(axis: Axis, width: float = WIDTH) -> Html:
    """Lines across with their numbers, and the title beside them."""
    parts = []
    for value in _ticks(axis):
        y = _y(axis, value)
        zero = abs(value) < 1e-9
        parts.append(element("line", x1=_LEFT, x2=width - _RIGHT, y1=y, y2=y, class_="zero" if zero else "grid"))
        parts.append(_label(_short(value, axis.tick), _LEFT - 5, y + 3.5, "end"))
    middle = (HEIGHT - _BOTTOM + _TOP) / 2
    turn = f"rotate(-90 11 {middle:.0f})"
    parts.append(element("text", axis.title, x=11.0, y=middle, transform=turn, text_anchor="middle", class_="label"))
    return joined(*parts)


def _across(axis: Axis) -> Html:
    parts = [
        _label(_short(value, axis.tick), _x(axis, value), HEIGHT - _BOTTOM + 14, "middle") for value in _ticks(axis)
    ]
    return joined(*parts, _label(axis.title, (WIDTH + _LEFT) / 2, HEIGHT - 4, "middle"))


def _short(value: float, tick: float) -> str:
    if abs(value) >= 10_000:
        return number(value / 1000, _decimals(tick / 1000)) + "k"
    return number(value, _decimals(tick))


def _decimals(tick: float) -> int:
    """As many as tell neighbours apart: none for 5, two for 0.25."""
    return next((decimals for decimals in range(9) if math.isclose(round(tick, decimals), tick, rel_tol=1e-6)), 9)


def _label(text: str, x: float, y: float, anchor: str, class_: str = "label") -> Html:
    return element("text", text, x=x, y=y, text_anchor=anchor, class_=class_)


def _framed(parts: Sequence[str], title: str, width: float = WIDTH, height: float = HEIGHT) -> Html:
    return element(
        *("svg", *parts), viewBox=f"0 0 {width:.0f} {height:.0f}", role="img", aria_label=title, class_="chart-svg"
    )

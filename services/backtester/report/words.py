"""Figures as people read them, the same in the terminal and on the page: signs, thin spaces in thousands, – for unknown."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.backtester.metrics.catalogue import Metric, Unit
from services.backtester.metrics.figure import Figure

UNKNOWN = "–"
THIN_SPACE = "\u202f"
_MINUS = "\u2212"
_LARGE_SHARE = 100.0
_LARGE_RATIO = 10_000.0
_DECIMALS: dict[Unit, int] = {"ratio": 2, "R": 2, "count": 0, "correlation": 2}
UNIT_SIGNS: dict[Unit, str] = {"R": "R", "share": "%", "share_signed": "%", "probability": "%"}


def number(value: float | None, decimals: int, *, signed: bool = False) -> str:
    """A number with so many decimals; a real minus sign, which is as wide as the plus."""
    if value is None:
        return UNKNOWN
    text = f"{value:{'+' if signed else ''},.{decimals}f}".replace(",", THIN_SPACE)
    if not text.strip("+-0." + THIN_SPACE):  # what rounds to nothing has no sign
        return text.lstrip("+-")
    return text.replace("-", _MINUS)


def money(value: float | None, *, signed: bool = False) -> str:
    """Quote units: cents below a hundred thousand, none above."""
    return number(value, 2 if value is None or abs(value) < 100_000 else 0, signed=signed)


def percent(value: float | None, *, signed: bool = False, decimals: int = 1) -> str:
    """A share in percent, without the sign of percent: that stands in the header."""
    if value is not None and abs(value) >= _LARGE_SHARE:
        return f"{'> +' if value > 0 else '< ' + _MINUS}9{THIN_SPACE}999"
    return UNKNOWN if value is None else number(value * 100, decimals, signed=signed)


def span(milliseconds: float | None) -> str:
    """A time span in at most two units."""
    if milliseconds is None:
        return UNKNOWN
    seconds = int(milliseconds / 1000)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    if seconds < 86_400:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    return f"{seconds // 86_400} d {seconds % 86_400 // 3600:02d} h"


def worded(value: float | None, unit: Unit) -> str:
    """A value in its unit, the unit's sign left out."""
    match unit:
        case "quote" | "quote_signed":
            return money(value, signed=unit == "quote_signed")
        case "share" | "share_signed":
            return percent(value, signed=unit == "share_signed")
        case "probability":
            return _probability(value)
        case "time":
            return span(value)
    if unit == "ratio" and value is not None and abs(value) >= _LARGE_RATIO:
        return f"{'> ' if value > 0 else '< ' + _MINUS}9{THIN_SPACE}999"
    return number(value, _DECIMALS[unit], signed=unit in ("R", "correlation"))


def _probability(value: float | None) -> str:
    """In percent, never rounded to certainty."""
    if value is None:
        return UNKNOWN
    if 0 < value < 0.001:
        return "< 0.1"
    return "> 99.9" if 0.999 < value < 1 else number(value * 100, 1)


def label_words(metric: Metric) -> str:
    """The name of a figure with its unit, as headers have it."""
    sign = UNIT_SIGNS.get(metric.unit, "")
    return metric.label if not sign or metric.label.endswith(f", {sign}") else f"{metric.label}, {sign}"


def difference_words(value: float | None, unit: Unit) -> str:
    """A difference of two values in their unit, with its sign."""
    if value is None:
        return UNKNOWN
    size = worded(abs(value), unit).lstrip("+")
    if not any(digit in size for digit in "123456789"):
        return size
    return f"{'+' if value > 0 else _MINUS}{size}"


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names in a line; of many the first and how many more there are."""
    more = len(names) - most
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:most])} and {more} more"


def figure_words(figure: Figure, metric: Metric) -> str:
    """The value with the sign of its unit, or – with the reason."""
    if figure.value is None:
        return f"{UNKNOWN} {figure.reason}"
    sign = UNIT_SIGNS.get(metric.unit, "")
    return f"{worded(figure.value, metric.unit)} {sign}".rstrip()


def band_words(figure: Figure, metric: Metric) -> str:
    """The band, "" without one; an open end is ∞."""
    if figure.value is None or (figure.low is None and figure.high is None):
        return ""
    low = "−∞" if figure.low is None else _band_end(figure.low, metric.unit)
    return f"{low} … {'∞' if figure.high is None else _band_end(figure.high, metric.unit)}"


def _band_end(value: float, unit: Unit) -> str:
    """An end of a band; it is not known to the cent."""
    if unit == "quote_signed" and abs(value) >= 100:
        return number(value, 0, signed=True)
    return worded(value, unit)


def cut_percent(share: float) -> str:
    """A share in percent, cut and not rounded: only what is complete looks complete."""
    return f"{int(share * 1000) / 10:.1f}"


def utc(time_ms: int) -> str:
    """To the second, in UTC."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def minute(time_ms: int) -> str:
    """To the minute, in UTC."""
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}"


def plain(code: str) -> str:
    """A reason's code as words."""
    return code.replace("_", " ")

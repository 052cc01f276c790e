"""Numbers as the screens write them: thin spaces in thousands, a sign where direction matters, and – for what is unknown."""

from datetime import UTC, datetime
from decimal import Decimal

from rich.text import Text

from libs.contracts.market import LIVE_STATES
from libs.contracts.signals import StrategyScore

UNKNOWN = "–"
THIN_SPACE = "\u2009"
_UNITS = {"k": 1e3, "M": 1e6, "G": 1e9}
UP, DOWN, FLAT = "▲", "▼", "·"


def said(text: str) -> str:
    """What somebody else wrote, for a terminal: a sign that would move its cursor or colour it is shown as such."""
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in text)


def number(value: Decimal | float | int | None, decimals: int | None = None, *, signed: bool = False) -> str:
    """A number with `decimals` places (None: as many as it has)."""
    if value is None:
        return UNKNOWN
    places = max(0, -int(Decimal(value).as_tuple().exponent)) if decimals is None else decimals
    return f"{value:{'+' if signed else ''},.{places}f}".replace(",", THIN_SPACE)


def compact(value: Decimal | float | int | None, *, signed: bool = False) -> str:
    """A number in at most seven characters: 1 234, +12.3k, -4.56M."""
    if value is None:
        return UNKNOWN
    amount = float(value)
    for limit, letter in ((999_950_000, "G"), (999_950, "M"), (1e4, "k")):
        if abs(amount) >= limit:
            return number(amount / _UNITS[letter], 1, signed=signed) + letter
    return number(amount, 0 if isinstance(value, int) or abs(amount) >= 1000 else 1, signed=signed)


def duration(seconds: float) -> str:
    """A time span in at most two units: 42s, 3m 05s, 2h 10m."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def delay(milliseconds: float | None) -> str:
    """A delay as people read it: milliseconds of a stream, a time span of what comes hours after its period."""
    if milliseconds is None:
        return UNKNOWN
    return f"{milliseconds:.0f} ms" if abs(milliseconds) < 10_000 else duration(milliseconds / 1000)


def aligned(value: Decimal | float | None) -> str:
    """A signed number for a column: one decimal and a place for the unit in every row, so that the points stand in line."""
    if value is None:
        return UNKNOWN + " "
    amount = float(value)
    for limit, letter in ((999_950_000, "G"), (999_950, "M"), (999.95, "k")):
        if abs(amount) >= limit:
            return number(amount / _UNITS[letter], 1, signed=True) + letter
    return number(amount, 1, signed=True) + " "


def sensible_decimals(value: Decimal | float) -> int:
    """Decimals that show a price with about seven digits, for as long as the symbol's tick is unknown."""
    amount = abs(float(value))
    whole = len(str(int(amount)))
    return min(8, max(1, 7 - whole)) if amount >= 1 else 7


def direction(value: Decimal | float | None, text: str) -> Text:
    """Green with a sign for positive, red for negative: the sign carries the meaning without the colour too."""
    if value is None or value == 0:
        return Text(text, style="dim" if value is None else "")
    return Text(text, style="green" if value > 0 else "red")


def clock(time_ms: int | None) -> str:
    """UTC time of day to the second."""
    if time_ms is None or time_ms < 0:
        return UNKNOWN
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}Z"


def score_words(symbol: str, score: StrategyScore) -> str:
    """A score and what it must reach: BTCUSDT v51 52 of 60. Cut, not rounded, so that 59.9 does not look like enough."""
    return f"{symbol} {score.strategy} {int(score.score)} of {score.threshold:g}"


def parts_per_million(ppm: int | None, decimals: int = 4) -> Text:
    """A share in percent, cut and not rounded: only what is complete looks complete."""
    if ppm is None:
        return Text(UNKNOWN, style="dim")
    step = 10 ** (4 - decimals)
    return Text(f"{ppm // step * step / 10_000:.{decimals}f}", style="" if ppm >= 1_000_000 else "yellow")


def state_style(state: str) -> str:
    """Amber for a feed that is degraded, red for one that is down; live ones stay calm."""
    return "" if state in LIVE_STATES else "red" if state in ("down", "disconnected") else "yellow"


def bar(value: float, width: int, mark: float | None = None) -> str:
    """A bar for 0 to 100, cut like the number beside it, with an optional mark (a threshold)."""
    filled = int(max(0.0, min(100.0, value)) / 100 * width)
    cells = ["█"] * filled + ["░"] * (width - filled)
    if mark is not None:
        cells[min(width - 1, int(mark / 100 * width))] = "┃"
    return "".join(cells)

"""What the page's script draws: candles, trades, refused signals and the equity, in few bytes and harmless as text."""

from itertools import pairwise

import msgspec
import numpy as np

from libs.trading.outcome import Outcome
from services.backtester.metrics.drawdown import underwater
from services.backtester.report.document import Report
from services.backtester.report.thinning import LADDER_MS, PackedBars, chart_interval, merged, packed
from services.backtester.report.words import number, plain
from services.backtester.result import BacktestResult

MOST_BARS = 60_000
MOST_TRADES = 4000
EQUITY_STEPS = 1500
MOST_REFUSED = 10_000
MOST_SYMBOLS = 40


class ChartTrade(msgspec.Struct, frozen=True, kw_only=True):
    """A trade for the chart and the table; times in s, `exits`: time, price, quantity, why."""

    symbol: str
    strategy: str
    long: bool
    score: float
    signal: int
    time: int
    price: float
    quantity: str
    exits: tuple[tuple[int, float, str, str], ...]
    stop: float
    first: float
    second: float
    r: float
    net: float
    gross: float
    fees: float
    slippage: float
    funding: float
    mae: float
    mfe: float


class ChartData(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is drawn by the script. `refused`: symbol, time in s, long, score, why."""

    start: float
    equity: list[tuple[int, float, float]]
    bars: dict[str, PackedBars]
    trades: list[ChartTrade]
    refused: list[tuple[str, int, bool, float, str]]


def chart_data(report: Report, result: BacktestResult) -> ChartData:
    """The newest trades where there are too many; symbols with most trades where there are too many."""
    symbols = _symbols(report, result)
    chosen = {symbol: result.candles[symbol] for symbol in symbols}
    interval = chart_interval(chosen, MOST_BARS)
    refused = [signal for signal in report.signals if signal.state == "refused" and signal.symbol in chosen]
    return ChartData(
        start=report.facts.starting_balance,
        equity=equity_points(result),
        bars={symbol: packed(merged(bars, interval)) for symbol, bars in chosen.items()},
        trades=[_trade(outcome) for outcome in report.trades[-MOST_TRADES:]],
        refused=[
            (one.symbol, one.time_ms // 1000, one.direction == "long", round(one.score, 1), plain(one.reason or ""))
            for one in refused[-MOST_REFUSED:]
        ],
    )


def _symbols(report: Report, result: BacktestResult) -> list[str]:
    counts = {group.key: group.trades for group in report.tables.by_symbol}
    known = [symbol for symbol, bars in result.candles.items() if bars.time_ms.size]
    most = sorted(known, key=lambda symbol: (-counts.get(symbol, 0), symbol))[:MOST_SYMBOLS]
    return [symbol for symbol in known if symbol in most]


def equity_points(result: BacktestResult) -> list[tuple[int, float, float]]:
    """Seconds, equity, % under water at equal steps: the chart counts points, so only equal steps make time even.

    Each step has two points, its lowest and its highest in the order they came; where nothing was recorded, the value stays.
    """
    facts, curve = result.facts, result.equity
    step = next((one for one in LADDER_MS if (facts.end_ms - facts.start_ms) / one <= EQUITY_STEPS), LADDER_MS[-1])
    below = underwater(curve.equity, facts.starting_balance)
    edges = np.searchsorted(curve.time_ms, np.arange(facts.start_ms, facts.end_ms + step, step), side="right")
    reached, points = (facts.starting_balance, 0.0), [(facts.start_ms // 1000, facts.starting_balance, 0.0)]
    for row, (first, last) in enumerate(pairwise(edges.tolist())):
        part = curve.equity[first:last]
        places = sorted((first + int(part.argmin()), first + int(part.argmax()))) if part.size else []
        pair = [(float(curve.equity[place]), float(below[place])) for place in places] or [reached, reached]
        reached = (float(curve.equity[last - 1]), float(below[last - 1])) if part.size else reached
        for half, (equity, share) in enumerate(pair):
            at = facts.start_ms + row * step + (half + 1) * step // 2
            points.append((at // 1000, round(equity, 2), round(share * 100, 3)))
    return points


def _trade(one: Outcome) -> ChartTrade:
    return ChartTrade(
        symbol=one.symbol,
        strategy=f"{one.strategy} v{one.version}",
        long=one.direction == "long",
        score=round(one.score, 1),
        signal=one.signal_time_ms // 1000,
        time=one.entry.time_ms // 1000,
        price=float(one.entry.price),
        quantity=format(one.entry.quantity.normalize(), "f"),
        exits=tuple(
            (fill.time_ms // 1000, float(fill.price), format(fill.quantity.normalize(), "f"), plain(fill.reason))
            for fill in one.exits
        ),
        stop=float(one.stop_loss),
        first=float(one.take_profit_1),
        second=float(one.take_profit_2),
        r=round(one.net_r, 3),
        net=round(float(one.net), 2),
        gross=round(float(one.gross), 2),
        fees=round(float(one.fees), 2),
        slippage=round(float(one.slippage), 2),
        funding=round(float(one.funding), 2),
        mae=round(one.adverse_r, 2),
        mfe=round(one.favourable_r, 2),
    )


def script_text(data: ChartData) -> str:
    """JSON that can stand inside a script element: nothing in it can end the element or begin a comment."""
    text = msgspec.json.encode(data).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def refused_note(report: Report) -> str:
    """What can be shown on the price, and that not all are, where that is so."""
    count = sum(signal.state == "refused" for signal in report.signals)
    if count <= MOST_REFUSED:
        return "refused signals"
    return f"refused signals (the newest {number(MOST_REFUSED, 0)} of {number(count, 0)})"


def trades_note(report: Report) -> str:
    """Says that not all are shown, where that is so."""
    count = len(report.trades)
    if count <= MOST_TRADES:
        return f"{count} trades. Choose one to see it on the chart."
    return f"The newest {number(MOST_TRADES, 0)} of {number(count, 0)} trades; all are in outcomes.parquet."

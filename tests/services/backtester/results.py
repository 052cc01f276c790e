"""Results of backtests for tests: one made by hand, to be checked on paper, and seeded ones that look like a month of trading."""

import math
import random
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from libs.contracts.signals import Direction, FactorContribution, RefusalReason, SignalScored
from libs.trading.outcome import Fill, FillReason, NotTaken, Outcome
from services.backtester.result import BacktestResult, Candles, EquityCurve, InputCoverage, RunFacts, SignalRow

START_MS = 1_717_200_000_000  # 2024-06-01 00:00 UTC
MINUTE_MS, DAY_MS = 60_000, 86_400_000
ASSUMPTIONS = (
    "fees: taker 0.050 %, maker 0.020 % of notional",
    "slippage: half the spread plus impact by size against the last 30 minutes' volume",
    "latency: fills on the first trade 250 ms after the signal",
    "stops: filled at the price that was there (gaps included)",
    "funding: recorded rates at 00, 08 and 16 UTC",
    "filters: tick, step, minimum notional and contract minimums of the exchange",
)
PRICES = {"BTCUSDT": 67_000.0, "ETHUSDT": 3_780.0, "SOLUSDT": 165.0, "XRPUSDT": 0.52}
_REFUSALS: tuple[RefusalReason, ...] = (
    "cooldown",
    "atr_regime",
    "direction_conflict",
    "stale_input",
    "coverage",
    "warm_up",
)
_COOLDOWN_MINUTES = 240
_HOLD_MINUTES = 70


@dataclass(frozen=True)
class Shape:
    """What a made result is like. `edge`: how much more often than not a signal points the right way."""

    days: float = 30
    seed: int = 7
    edge: float = 0.3
    strategies: tuple[str, ...] = ("v51", "v52")
    ideal: bool = False
    configurations: int = 1


def facts(days: float = 30, **changes: object) -> RunFacts:
    """Facts of a run over so many days from 1 June 2024."""
    given: dict[str, object] = {
        "strategies": (("v51", 3, "9f2c1a77d0e4"), ("v52", 1, "41b7c0935aee")),
        "symbols": tuple(PRICES),
        "source": "postgresql",
        "view": "as-seen",
        "start_ms": START_MS,
        "end_ms": START_MS + round(days * DAY_MS),
        "ideal": False,
        "assumptions": ASSUMPTIONS,
        "starting_balance": 10_000.0,
        "risk_per_trade": 50.0,
        "code_version": "0.1.0",
        "trades_read": 61_804_211,
        "evaluations": 691_200,
    }
    return RunFacts(**(given | changes))  # type: ignore[arg-type]


def outcome(net: str, **changes: object) -> Outcome:
    """A closed position with this net result (quote units) and nothing else that matters; `changes` are its other fields.

    Entered at 100 with 1 unit, 10 minutes, risk 10, no costs.
    """
    entry_ms = int(str(changes.pop("entry_ms", START_MS)))
    held_ms = int(str(changes.pop("held_ms", 10 * MINUTE_MS)))
    reason: FillReason = changes.pop("exit_reason", "stop_loss")  # type: ignore[assignment]
    made = Decimal(net)
    given: dict[str, object] = {
        "signal_id": f"signal-{entry_ms}",
        "strategy": "v51",
        "version": 3,
        "symbol": "BTCUSDT",
        "direction": "long",
        "score": 80.0,
        "signal_time_ms": entry_ms - 250,
        "signal_price": Decimal(100),
        "entry": _plain_fill("entry", entry_ms, Decimal(100)),
        "exits": (_plain_fill(reason, entry_ms + held_ms, Decimal(100) + made),),
        "stop_loss": Decimal(90),
        "take_profit_1": Decimal(110),
        "take_profit_2": Decimal(120),
        "risk": Decimal(10),
        "gross": made,
        "fees": Decimal(0),
        "slippage": Decimal(0),
        "funding": Decimal(0),
        "net": made,
        "net_r": float(made / 10),
        "adverse_r": min(0.0, float(made / 10)),
        "favourable_r": max(0.0, float(made / 10)),
    }
    return Outcome(**(given | changes))  # type: ignore[arg-type]


def _plain_fill(reason: FillReason, time_ms: int, price: Decimal) -> Fill:
    return Fill(reason=reason, time_ms=time_ms, price=price, quantity=Decimal(1), fee=Decimal(0), slippage=Decimal(0))


def curve(*points: tuple[float, float], exposure: tuple[float, ...] = ()) -> EquityCurve:
    """An equity curve of (days from the start, equity)."""
    days, equity = zip(*points, strict=True) if points else ((), ())
    held = exposure or (0.0,) * len(points)
    return EquityCurve(
        time_ms=np.array([START_MS + round(day * DAY_MS) for day in days], dtype=np.int64),
        equity=np.array(equity, dtype=np.float64),
        open_positions=np.array([value > 0 for value in held], dtype=np.int64),
        exposure=np.array(held, dtype=np.float64),
    )


def plain_result(outcomes: tuple[Outcome, ...], equity: EquityCurve, of: RunFacts | None = None) -> BacktestResult:
    """A result of these trades and this curve alone."""
    return BacktestResult(
        facts=of or facts(),
        coverage=(),
        signals=(),
        outcomes=outcomes,
        not_taken=(),
        equity=equity,
    )


@dataclass
class _Market:
    """One symbol's minutes, and what is traded in them."""

    symbol: str
    candles: Candles
    decimals: int
    chance: random.Random
    outcomes: list[Outcome] = field(default_factory=list)
    signals: list[SignalScored] = field(default_factory=list)


def make_result(shape: Shape | None = None) -> BacktestResult:
    """A seeded result: the same shape gives the same one."""
    shape = shape or Shape()
    minutes = round(shape.days * 1440)
    markets = [_market(symbol, price, minutes, shape.seed) for symbol, price in PRICES.items()]
    for market in markets:
        _trade(market, shape)
    outcomes = sorted((one for market in markets for one in market.outcomes), key=lambda one: one.exit_time_ms)
    signals = sorted(
        (one for market in markets for one in market.signals),
        key=lambda one: (one.event_time_ms, one.symbol, one.strategy),
    )
    taken = {one.signal_id for one in outcomes}
    left = [one for one in signals if one.state == "emitted" and one.event_id not in taken]
    return BacktestResult(
        facts=facts(
            shape.days,
            ideal=shape.ideal,
            configurations=shape.configurations,
            strategies=tuple((name, 1, "9f2c1a77d0e4") for name in shape.strategies),
            assumptions=("every cost is off: fees, slippage, latency, funding",) if shape.ideal else ASSUMPTIONS,
        ),
        coverage=_coverage(),
        signals=tuple(map(SignalRow.of, signals)),
        outcomes=tuple(outcomes),
        not_taken=tuple(_not_taken(one, number) for number, one in enumerate(left)),
        equity=_equity(markets, minutes),
        candles={market.symbol: market.candles for market in markets},
    )


def _market(symbol: str, price: float, minutes: int, seed: int) -> _Market:
    draws = np.random.default_rng([seed, len(symbol), int(price * 100)])
    day = 1 + 0.5 * np.sin(np.arange(minutes) / 1440 * 2 * math.pi - 1.2)
    steps = draws.standard_t(4, minutes) * 0.00055 * day
    closes = price * np.exp(np.cumsum(steps))
    opens = np.concatenate(([price], closes[:-1]))
    wick = np.abs(draws.normal(0, 0.0004, (2, minutes))) * closes
    decimals = 2 if price > 1000 else 3 if price > 10 else 5
    return _Market(
        symbol,
        Candles(
            MINUTE_MS,
            START_MS + MINUTE_MS * np.arange(minutes, dtype=np.int64),
            opens.round(decimals),
            (np.maximum(opens, closes) + wick[0]).round(decimals),
            (np.minimum(opens, closes) - wick[1]).round(decimals),
            closes.round(decimals),
        ),
        decimals,
        random.Random(f"{seed} {symbol}"),
    )


def _trade(market: _Market, shape: Shape) -> None:
    """Signals through the range: some refused, some not taken, the others traded to their exits."""
    closes, chance = market.candles.close, market.chance
    minute = 60
    while minute < len(closes) - 2:
        score = min(100.0, 75 + chance.expovariate(1 / 6))
        right = chance.random() < 0.5 + shape.edge * (0.5 + (score - 75) / 25)
        ahead = closes[min(minute + 45, len(closes) - 1)] >= closes[minute]
        direction: Direction = "long" if ahead == right else "short"
        strategy = chance.choice(shape.strategies)
        refusal = chance.choice(_REFUSALS) if chance.random() < 0.35 else None
        signal = _signal(market, minute, (strategy, score, direction), refusal)
        market.signals.append(signal)
        if refusal is None and chance.random() < 0.92:
            market.outcomes.append(_position(market, minute, signal, costs=not shape.ideal))
        minute += _COOLDOWN_MINUTES + chance.randrange(420) if refusal is None else 1 + chance.randrange(60)


def _signal(
    market: _Market, minute: int, what: tuple[str, float, Direction], reason: RefusalReason | None
) -> SignalScored:
    (strategy, score, direction), time_ms = what, START_MS + minute * MINUTE_MS
    price = _money(market.candles.open[minute], market.decimals)
    atr = _money(float(price) * 0.0045, market.decimals)
    sign = 1 if direction == "long" else -1
    return SignalScored(
        event_id=f"{strategy}-{market.symbol}-{time_ms}",
        event_time_ms=time_ms,
        strategy=strategy,
        version=1,
        symbol=market.symbol,
        score=round(score, 4),
        threshold=75.0,
        direction=direction,
        state="emitted" if reason is None else "refused",
        reason=reason,
        sentence=f"{direction.capitalize()} {market.symbol}, score {int(score)} of 75 needed",
        price=price,
        atr=atr,
        take_profit_1=price + sign * atr * Decimal("1.5"),
        take_profit_2=price + sign * atr * 3,
        stop_loss=price - sign * atr * Decimal("1.5"),
        hold_until_ms=time_ms + _HOLD_MINUTES * MINUTE_MS,
        contributions=(FactorContribution(factor="cvd_momentum", value=0.8, weight=0.4, contribution=0.32),),
        inputs={"price": price},
        coverage={"5m": 1.0},
    )


def _position(market: _Market, minute: int, signal: SignalScored, *, costs: bool) -> Outcome:
    """Follows the minutes to TP1 (half), TP2, stop, the stop at the entry, or the end of the hold."""
    sign = 1 if signal.direction == "long" else -1
    stop, first, second = signal.stop_loss, signal.take_profit_1, signal.take_profit_2
    assert stop is not None
    assert first is not None
    assert second is not None
    met = signal.price
    quantity = (Decimal(50) / abs(met - stop)).quantize(Decimal("0.0001"))
    entry = _fill(("entry", signal.event_time_ms + 250), met, quantity, sign, costs)
    exits: list[Fill] = []
    left, level, worst, best = quantity, stop, 0.0, 0.0
    last = min(minute + _HOLD_MINUTES, len(market.candles.close) - 1)
    for place in range(minute, last + 1):
        low, high = float(market.candles.low[place]), float(market.candles.high[place])
        against, along = (low, high) if sign > 0 else (high, low)
        worst, best = min(worst, sign * (against - float(met))), max(best, sign * (along - float(met)))
        at = START_MS + place * MINUTE_MS + 31_400
        if sign * (against - float(level)) <= 0:
            exits.append(_fill(("break_even_stop" if exits else "stop_loss", at), level, left, -sign, costs))
        elif not exits and sign * (along - float(first)) >= 0:
            half = (quantity / 2).quantize(Decimal("0.0001"))
            exits.append(_fill(("take_profit_1", at), first, half, -sign, costs))
            left, level = quantity - half, met
            continue
        elif exits and sign * (along - float(second)) >= 0:
            exits.append(_fill(("take_profit_2", at), second, left, -sign, costs))
        elif place == last:
            close = _money(market.candles.close[place], market.decimals)
            exits.append(_fill(("hold_expired", at), close, left, -sign, costs))
        if sum(fill.quantity for fill in exits) == quantity:
            break
    unit = float(abs(met - stop))
    return _outcome(market, signal, (entry, tuple(exits)), (worst / unit, best / unit))


def _outcome(
    market: _Market, signal: SignalScored, fills: tuple[Fill, tuple[Fill, ...]], moves: tuple[float, float]
) -> Outcome:
    entry, exits = fills
    sign = 1 if signal.direction == "long" else -1
    assert signal.stop_loss is not None
    assert signal.take_profit_1 is not None
    assert signal.take_profit_2 is not None
    fees = entry.fee + sum((fill.fee for fill in exits), Decimal(0))
    slippage = entry.slippage + sum((fill.slippage for fill in exits), Decimal(0))
    made = sum(((fill.price - entry.price) * fill.quantity * sign for fill in exits), Decimal(0))
    hours = 8 * 3_600_000
    crossed = exits[-1].time_ms // hours - entry.time_ms // hours
    funding = entry.price * entry.quantity * Decimal("0.0001") * crossed * sign if entry.fee else Decimal(0)
    risk = abs(entry.price - signal.stop_loss) * entry.quantity
    net = made - fees - funding
    return Outcome(
        signal_id=signal.event_id,
        strategy=signal.strategy,
        version=1,
        symbol=market.symbol,
        direction=signal.direction,
        score=signal.score,
        signal_time_ms=signal.event_time_ms,
        signal_price=signal.price,
        entry=entry,
        exits=exits,
        stop_loss=signal.stop_loss,
        take_profit_1=signal.take_profit_1,
        take_profit_2=signal.take_profit_2,
        risk=risk,
        gross=made + slippage,
        fees=fees,
        slippage=slippage,
        funding=funding,
        net=net,
        net_r=float(net / risk),
        adverse_r=round(moves[0], 4),
        favourable_r=round(moves[1], 4),
    )


def _fill(what: tuple[FillReason, int], met: Decimal, quantity: Decimal, side: int, costs: bool) -> Fill:
    """`side` 1 buys, -1 sells; slippage of 0.01 % and a taker's fee."""
    slip = met * Decimal("0.0001") if costs else Decimal(0)
    price = met + side * slip
    fee = price * quantity * Decimal("0.0005") if costs else Decimal(0)
    return Fill(reason=what[0], time_ms=what[1], price=price, quantity=quantity, fee=fee, slippage=slip * quantity)


def _money(value: float, decimals: int) -> Decimal:
    return Decimal(f"{value:.{decimals}f}")


def _not_taken(signal: SignalScored, number: int) -> NotTaken:
    return NotTaken(
        signal_id=signal.event_id,
        strategy=signal.strategy,
        symbol=signal.symbol,
        time_ms=signal.event_time_ms,
        reason="symbol_locked" if number % 3 else "max_positions",
        why="BTCUSDT has an open position" if number % 3 else "3 of 3 positions are open",
    )


def _coverage() -> tuple[InputCoverage, ...]:
    whole = [InputCoverage(symbol=symbol, name="trades", share=1.0, rows=15_000_000) for symbol in PRICES]
    return (
        *whole,
        InputCoverage(
            symbol="SOLUSDT", name="open interest", share=0.982, rows=8_484, missing="missing 12 June 02:10 to 15:05"
        ),
    )


def _equity(markets: list[_Market], minutes: int) -> EquityCurve:
    """Marked to the market each minute."""
    equity = np.full(minutes, 10_000.0)
    count, exposure = np.zeros(minutes, dtype=np.int64), np.zeros(minutes)
    for market in markets:
        for one in market.outcomes:
            _mark(one, market.candles.close, (equity, count, exposure))
    ends = START_MS + MINUTE_MS * (1 + np.arange(minutes, dtype=np.int64))
    return EquityCurve(time_ms=ends, equity=equity, open_positions=count, exposure=exposure)


def _mark(
    one: Outcome, closes: NDArray[np.float64], into: tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]
) -> None:
    equity, count, exposure = into
    sign = 1 if one.direction == "long" else -1
    begin, end = (one.entry.time_ms - START_MS) // MINUTE_MS, (one.exit_time_ms - START_MS) // MINUTE_MS
    for place in range(begin, end):
        time_ms = START_MS + (place + 1) * MINUTE_MS
        done = [fill for fill in one.exits if fill.time_ms < time_ms]
        left = float(one.entry.quantity - sum((fill.quantity for fill in done), Decimal(0)))
        made = sum(float((fill.price - one.entry.price) * fill.quantity) * sign - float(fill.fee) for fill in done)
        open_ = sign * left * (closes[place] - float(one.entry.price)) - float(one.entry.fee)
        equity[place] += made + open_
        count[place] += 1
        exposure[place] += left * closes[place]
    equity[end:] += float(one.net)

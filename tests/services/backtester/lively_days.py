"""Days of an invented market that looks like one: trends that takers follow, bursts, fat tails, forced orders, slow inputs.

Everything is drawn per minute and second first, from one generator per purpose, so that the same seed gives the same files
whatever the number of trades; the symbols share most of their moves, as those of the venue do.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.services.backtester.lively_inputs import write_inputs
from tests.services.backtester.market_days import FIRST_DAY, Market, TradeColumns, write_trades

DAY_MINUTES, DAY_SECONDS, SECOND_MS = 1_440, 86_400, 1_000
MARKETS = (
    Market("BTCUSDT", 91_400.0, 2_200_000, 1, 3),
    Market("ETHUSDT", 3_120.0, 1_400_000, 2, 3),
    Market("SOLUSDT", 142.6, 700_000, 3, 2),
    Market("XRPUSDT", 2.18, 500_000, 4, 1),
)
"""Four symbols as busy as the venue's on a lively day."""
BETAS = (1.0, 1.15, 1.4, 1.25)
SECOND_NOISE = 1.0e-4
"""Standard deviation of a second's return at volatility 1: about 3 % a day."""
TREND = 3.0e-6
"""Mean drift of a trend, per second: 1 % in an hour."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weather:
    """Minutes of the whole market: drift (return a second), volatility (1: usual) and the moves that all symbols share."""

    drift: Floats
    volatility: Floats
    shared: Floats


@dataclass(frozen=True, slots=True)
class SymbolPath:
    """One symbol: log price at each second's start (one more than seconds), volatility and net taker share per minute."""

    log_price: Floats
    volatility: Floats
    flow: Floats


def write_lively_days(folder: Path, markets: tuple[Market, ...], days: int, seed: int = 1) -> tuple[datetime, datetime]:
    """Write `days` days of each market from FIRST_DAY on, with liquidations and slow inputs; returns the range."""
    weather = _weather(days, np.random.default_rng([seed, 100]))
    for number, market in enumerate(markets):
        path = _path(market, BETAS[number % len(BETAS)], weather, np.random.default_rng([seed, 200 + number]))
        for day in range(days):
            dice = np.random.default_rng([seed, 300 + number, day])
            columns = _trades(market, path, day, dice)
            write_trades(folder, market, FIRST_DAY + timedelta(days=day), columns)
        minute_prices = np.exp(path.log_price[::60])
        write_inputs(folder, market, (minute_prices, path.flow), np.random.default_rng([seed, 400 + number]))
    return FIRST_DAY, FIRST_DAY + timedelta(days=days)


def _weather(days: int, dice: np.random.Generator) -> Weather:
    minutes = days * DAY_MINUTES
    drift, left = np.zeros(minutes), 0
    while left < minutes:
        length = int(np.clip(dice.lognormal(4.0, 0.6), 15, 240))
        kind = dice.choice([0.0, 1.0, -1.0], p=[0.58, 0.22, 0.20])
        drift[left : left + length] = kind * TREND * dice.gamma(3.0, 1 / 3.0)
        left += length
    hour = np.arange(minutes) / 60 % 24
    season = 0.75 + 0.55 * np.exp(-(((hour - 14.5) / 2.5) ** 2)) + 0.25 * np.exp(-(((hour - 1.0) / 1.5) ** 2))
    volatility = season * np.exp(0.3 * _wandering(minutes, 90, dice)) * _bursts(minutes, dice)
    shared = np.repeat(volatility, 60) * SECOND_NOISE * _fat(minutes * 60, dice)
    return Weather(drift, volatility, shared)


def _bursts(minutes: int, dice: np.random.Generator) -> Floats:
    """A dozen moments a day at which everything happens at once, and the calming down after each."""
    found = np.zeros(minutes)
    for start in np.flatnonzero(dice.random(minutes) < 12 / DAY_MINUTES).tolist():
        after = np.arange(minutes - start)
        found[start:] += dice.pareto(3.0) * 1.5 * np.exp(-after / dice.uniform(3, 15))
    return np.asarray(1 + np.minimum(found, 3.0))


def _path(market: Market, beta: float, weather: Weather, dice: np.random.Generator) -> SymbolPath:
    minutes = len(weather.drift)
    own_drift = weather.drift * beta * dice.choice([1.0, 0.4], minutes // 60 + 1, p=[0.8, 0.2]).repeat(60)[:minutes]
    own = np.repeat(weather.volatility, 60) * SECOND_NOISE * _fat(minutes * 60, dice)
    returns = np.repeat(own_drift, 60) + beta * (0.8 * weather.shared + 0.6 * own)
    per_minute = returns.reshape(-1, 60).sum(axis=1)
    usual = beta * SECOND_NOISE * np.sqrt(60) * weather.volatility
    flow = 0.13 * np.tanh(own_drift / TREND) + 0.08 * np.tanh(per_minute / usual) + 0.05 * _wandering(minutes, 12, dice)
    log_price = np.log(market.price) + np.concatenate(([0.0], np.cumsum(returns)))
    return SymbolPath(log_price, weather.volatility, np.clip(flow, -0.5, 0.5))


def _trades(market: Market, path: SymbolPath, day: int, dice: np.random.Generator) -> TradeColumns:
    count, first = market.trades_a_day, day * DAY_SECONDS
    volatility = path.volatility[day * DAY_MINUTES : (day + 1) * DAY_MINUTES]
    busy = np.repeat(volatility**1.2, 60) * dice.gamma(1.5, 1.0, DAY_SECONDS)
    second = np.repeat(np.arange(DAY_SECONDS), dice.multinomial(count, busy / busy.sum()))
    offset_ms = dice.integers(0, SECOND_MS, count)
    times_ms = np.sort(second * SECOND_MS + offset_ms)
    flow = path.flow[day * DAY_MINUTES + times_ms // 60_000]
    notional = 800.0 * np.exp(1.6 * dice.standard_normal(count))
    # The largest know best, or move the price most: they take the trend's side more often than the small ones do.
    sold = dice.random(count) > 0.5 + 0.5 * flow * np.where(notional > 10_000, 1.4, 1.0)
    log_price = np.interp(times_ms / SECOND_MS + first, np.arange(len(path.log_price)), path.log_price)
    half_tick = 0.5 * 10**-market.price_decimals
    prices = np.exp(log_price) + np.where(sold, -half_tick, half_tick)
    start_ms = int(FIRST_DAY.timestamp() * SECOND_MS) + first * SECOND_MS
    # `write_trades` takes tenths.
    return TradeColumns(1_000 + day * count, start_ms + times_ms, prices, notional / prices * 10, sold)


def _fat(count: int, dice: np.random.Generator) -> Floats:
    """Student's t with four degrees of freedom and a variance of 1, without what no market does in a second."""
    return np.asarray(np.clip(dice.standard_t(4, count) / np.sqrt(2), -12, 12))


def _wandering(minutes: int, memory: float, dice: np.random.Generator) -> Floats:
    """An Ornstein-Uhlenbeck process around 0 with a variance of 1 that forgets in `memory` minutes."""
    keep = float(np.exp(-1 / memory))
    steps = dice.standard_normal(minutes) * np.sqrt(1 - keep * keep)
    found, value = np.empty(minutes), 0.0
    for minute, step in enumerate(steps.tolist()):
        value = keep * value + step
        found[minute] = value
    return found

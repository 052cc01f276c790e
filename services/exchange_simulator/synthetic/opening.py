"""The opening: around the first start one symbol after another breaks out of a pause, so that a new watcher sees a market move.

It is a part of the market's function like everything else: the natural price is drawn to a line, and taker flow leans to
its side, both closed forms of the minute. History tells it as the streams do; some hours later nothing is left of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from services.exchange_simulator.synthetic.noise import Floats, key_of, lattice, smooth_noise

FlowOfTime = Callable[[Floats], Floats]
# Instants in minutes from the symbol's turn: the natural path gives way and is held, the price climbs (or falls), pauses,
# breaks out at the turn, goes on, and comes back to its natural path.
_YIELD, _HELD, _CLIMB, _PAUSE, _RUN_END, _LEG_END, _RELEASED = -230.0, -170.0, -40.0, -7.0, 2.5, 14.0, 120.0
# Slopes of the line between those instants, in usual five-minute ranges a minute.
_SLOPES = ((_HELD, 0.005), (_CLIMB, 0.04), (_PAUSE, 0.0), (0.0, 0.8), (_RUN_END, 0.12), (_LEG_END, 0.0))
# What the flow adds to the share of taker buys from those instants on; it takes `_FLOW_MINUTES` to change. Before
# and after, up to `_FREE_FLOW`, it follows the price again.
_FLOWS = ((-290.0, 0.06), (_CLIMB, 0.11), (_PAUSE, 0.03), (0.0, 0.32), (_LEG_END, 0.0))
_FLOW_MINUTES, _FREE_FLOW = 1.0, 25.0
# While the opening holds the price: what is left of the natural path, the period of the swing around the line, the volatility
# inside a minute in usual ranges, and between which sizes that of the swing is sought.
_LEFT, _SWING_MINUTES, _INSIDE, _SWINGS, _HALVINGS = 0.08, 2.5, 0.3, (0.1, 3.0), 8
# The first symbols follow each other by this much (minutes); many symbols share `_ALL_TURN`.
_FIRST_TURN, _APART, _ALL_TURN = 0.2, 0.4, 4.0
# The usual range: this quantile of the smoothed five-minute ranges of the day before.
_DAY_CANDLES, _CANDLE, _SMOOTHED, _WARM_UP, _QUANTILE = 288, 5, 14, 60, 0.62
# A range is wider than that of the path's minutes, by about so much volatility of a minute.
_BETWEEN_MINUTES = 0.9


def turns(start_ms: int, symbols: int) -> list[float]:
    """When each symbol breaks out (fractional minutes since the epoch), one after another, all within minutes of the start."""
    apart = min(_APART, _ALL_TURN / symbols)
    return [start_ms / 60_000 + _FIRST_TURN + apart * place for place in range(symbols)]


def side_of(seed: int, start_ms: int) -> float:
    """Where the market goes at its opening, 1 up and -1 down: symbols move together."""
    drawn = lattice(key_of(seed, "market", "opening"), np.array([start_ms // 60_000]))[0]
    return 1.0 if drawn >= 0 else -1.0


@dataclass(frozen=True, slots=True)
class Opening:
    """One symbol's opening at `turn`, to `side`. `usual` is a five-minute range (natural logarithm) in the middle of the last
    day's, `root` the natural log price from which the line starts, `swing` the size of the swing in usual ranges.
    """

    turn: float
    side: float
    usual: float
    root: float
    keys: tuple[np.uint64, np.uint64]
    swing: float = 0.75

    def price(self, minutes: Floats, natural: Floats) -> Floats:
        """Log prices: the natural ones, drawn to the line."""
        since = minutes - self.turn
        climbed, before = np.zeros(len(since)), 0.0
        for instant, slope in _SLOPES:
            climbed += (slope - before) * np.maximum(since - instant, 0.0)
            before = slope
        own, common = (smooth_noise(key, minutes, _SWING_MINUTES) for key in self.keys)
        swing = self.swing * (0.6 * own + 0.8 * common) * (1.0 - 0.8 * _ramp(since, _PAUSE - 2.0, _PAUSE + 2.0))
        line = self.root + self.usual * (self.side * climbed + swing)
        return natural + (1.0 - _LEFT) * self._grip(since) * (line - natural)

    def volatility(self, minutes: Floats, natural: Floats) -> Floats:
        """Volatility inside a minute: that of the usual range while the opening holds the price."""
        return natural + self._grip(minutes - self.turn) * (_INSIDE * self.usual - natural)

    def buy_share(self, minutes: Floats, natural: Floats) -> Floats:
        """The share of taker buys in the minutes around these instants."""
        since, lean, before = minutes - self.turn, np.zeros(len(minutes)), 0.0
        for instant, flow in _FLOWS:
            lean += (flow - before) * _ramp(since, instant - _FLOW_MINUTES / 2, instant + _FLOW_MINUTES / 2)
            before = flow
        held = _ramp(since, _YIELD, _HELD) * (1.0 - _ramp(since, _LEG_END, _FREE_FLOW))
        share: Floats = np.clip(natural + held * (0.5 - natural) + self.side * lean, 0.04, 0.96)
        return share

    def _grip(self, since: Floats) -> Floats:
        """How firmly the opening holds the price, 0 to 1."""
        return _ramp(since, _YIELD, _HELD) * (1.0 - _ramp(since, _LEG_END, _RELEASED))


def opening_at(
    turn: float, side: float, natural: tuple[FlowOfTime, FlowOfTime], keys: tuple[np.uint64, np.uint64]
) -> Opening:
    """The opening of a symbol with these `natural` log prices and volatilities of a minute; `keys` of its swing.

    The swing gets the size at which the average range at the turn is the usual one.
    """
    log_prices, volatility = natural
    candles = _DAY_CANDLES + _WARM_UP
    minutes = (int(turn) // _CANDLE - candles) * _CANDLE + np.arange(candles * _CANDLE + 1, dtype=np.float64)
    path, inside = log_prices(minutes), volatility(minutes)
    usual = float(np.quantile(_average_ranges(path, inside)[_WARM_UP:], _QUANTILE))
    opening = Opening(turn, side, usual, float(np.interp(turn + _HELD, minutes, path)), keys)
    held = opening.volatility(minutes, inside)
    low, high = _SWINGS
    for _ in range(_HALVINGS):
        opening = replace(opening, swing=(low + high) / 2)
        if _average_ranges(opening.price(minutes, path), held)[-1] < usual:
            low = opening.swing
        else:
            high = opening.swing
    return opening


def _average_ranges(path: Floats, inside: Floats) -> Floats:
    """Wilder's average of five-minute ranges at the end of each, from the log prices and volatilities of every minute."""
    corners = np.stack([path[place : place + len(path) - _CANDLE : _CANDLE] for place in range(_CANDLE + 1)])
    ranges = np.ptp(corners, axis=0) + _BETWEEN_MINUTES * inside[:-1:_CANDLE]
    averages, level = np.empty(len(ranges)), float(ranges[:_SMOOTHED].mean())
    for place, width in enumerate(ranges):
        level += (float(width) - level) / _SMOOTHED
        averages[place] = level
    return averages


def _ramp(values: Floats, start: float, end: float) -> Floats:
    """0 before `start`, 1 after `end`, a cubic without corners between."""
    place = np.clip((values - start) / (end - start), 0.0, 1.0)
    ramped: Floats = place * place * (3.0 - 2.0 * place)
    return ramped

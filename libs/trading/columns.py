"""What factors look at: features, slow inputs and feeds as columns, one row for each evaluation of a symbol in order of time.

Live there is one row, in a replay a stretch of them. Nothing but + - * /, comparisons and choices is done to them, element by
element, so that a row gives the same bits in whatever company it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from libs.indicators.columns import FEATURES, FeatureColumns, Integers
from libs.indicators.features import WindowName
from libs.trading.inputs import FEED_OF_INPUT, TRADE_FEED, FeedReading, InputName, Reading

Values = NDArray[np.float64]
"""One float for each evaluation; NaN where it is unknown."""
INPUTS: tuple[InputName, ...] = get_args(InputName)
FEEDS: tuple[str, ...] = tuple(sorted({TRADE_FEED, *FEED_OF_INPUT.values()}))
_PLACE_OF_INPUT = {name: place for place, name in enumerate(INPUTS)}
_PLACE_OF_FEED = {name: place for place, name in enumerate(FEEDS)}


@dataclass(frozen=True, slots=True)
class WindowColumns:
    """A window's cumulative volume delta and volume (base units), notional and VWAP (quote units)."""

    cvd: Values
    volume: Values
    notional: Values
    vwap: Values


@dataclass(frozen=True, slots=True)
class Columns:
    """`inputs` and `as_of_ms` are `[INPUTS, evaluations]`, NaN and 0 where an input is not there; `live` is `[FEEDS,
    evaluations]`, true also of a feed that has said nothing of itself."""

    features: FeatureColumns
    inputs: Values
    as_of_ms: Integers
    live: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.features.time_ms)

    @property
    def time_ms(self) -> Integers:
        return self.features.time_ms

    @property
    def price(self) -> Values:
        """The last trade's price, in quote units."""
        return self.feature("price")

    @property
    def atr(self) -> Values:
        """ATR(14) of five-minute candles, in quote units."""
        return self.feature("atr")

    @property
    def atr_rank(self) -> Values:
        """The ATR's share of the last day that it reaches, 0 to 1."""
        return self.feature("atr_rank")

    def feature(self, name: str) -> Values:
        """A feature by its name in `FEATURES`. Raises `KeyError` for one that does not exist."""
        found: Values = self.features.values[FEATURES[name]]
        return found

    def window(self, name: WindowName) -> WindowColumns:
        """The sums of one of the three windows."""
        start = FEATURES[f"cvd_{name}"]
        return WindowColumns(*self.features.values[start : start + 4])

    def coverage(self, name: str) -> Values:
        """The share of a window or memory that is known, 0 to 1."""
        return self.feature(f"coverage_{name}")

    def value(self, name: InputName) -> Values:
        """A slow input that the factor has declared as needed."""
        found: Values = self.inputs[_PLACE_OF_INPUT[name]]
        return found

    def age_ms(self, name: InputName) -> Integers:
        """How old an input is at each evaluation, never below 0; of no meaning where it is not there."""
        found: Integers = np.maximum(0, self.time_ms - self.as_of_ms[_PLACE_OF_INPUT[name]])
        return found

    def feed_is_live(self, feed: str) -> NDArray[np.bool_]:
        """Whether a feed delivers, as far as is known."""
        found: NDArray[np.bool_] = self.live[_PLACE_OF_FEED[feed]]
        return found

    def atrs_from_vwap(self, name: WindowName) -> Values:
        """(price - VWAP of the window) / ATR(14)."""
        found: Values = (self.price - self.window(name).vwap) / self.atr
        return found

    def rows(self, chosen: "slice | NDArray[np.bool_] | Integers") -> "Columns":
        """Some of the evaluations, in their order."""
        features = self.features
        return Columns(
            FeatureColumns(
                features.time_ms[chosen],
                features.values[:, chosen],
                features.price_ticks[chosen],
                features.atr_ticks[chosen],
                features.price_decimals,
            ),
            self.inputs[:, chosen],
            self.as_of_ms[:, chosen],
            self.live[:, chosen],
        )


Known = tuple[Mapping[str, Reading], Mapping[str, FeedReading]]
"""The slow inputs and the states of feeds that stood in the log by an evaluation."""


def columns_of(features: FeatureColumns, known: Sequence[Known] | None) -> Columns:
    """Features with what was known beside them: one pair for each evaluation, or None where nothing ever was."""
    count = len(features.time_ms)
    inputs, as_of_ms = np.full((len(INPUTS), count), np.nan), np.zeros((len(INPUTS), count), np.int64)
    live = np.ones((len(FEEDS), count), np.bool_)
    for row, (readings, feeds) in enumerate(known or ()):
        for name, reading in readings.items():
            place = _PLACE_OF_INPUT.get(name)  # type: ignore[call-overload]
            if place is not None:
                inputs[place, row], as_of_ms[place, row] = float(reading.value), reading.as_of_ms
        for name, feed in feeds.items():
            if not feed.live and name in _PLACE_OF_FEED:
                live[_PLACE_OF_FEED[name], row] = False
    return Columns(features, inputs, as_of_ms, live)


def joined(parts: Sequence[Columns]) -> Columns:
    """Parts of one symbol, one after the other; at least one. Raises `ValueError` when the decimals of its prices change."""
    decimals = {part.features.price_decimals for part in parts if np.any(part.features.price_ticks)} or {0}
    if len(decimals) > 1:
        raise ValueError(f"the decimals of prices change: {', '.join(map(str, sorted(decimals)))}")
    features = FeatureColumns(
        np.concatenate([part.features.time_ms for part in parts]),
        np.concatenate([part.features.values for part in parts], axis=1),
        np.concatenate([part.features.price_ticks for part in parts]),
        np.concatenate([part.features.atr_ticks for part in parts]),
        next(iter(decimals)),
    )
    return Columns(
        features,
        np.concatenate([part.inputs for part in parts], axis=1),
        np.concatenate([part.as_of_ms for part in parts], axis=1),
        np.concatenate([part.live for part in parts], axis=1),
    )


def clipped(values: Values, low: float = -1.0, high: float = 1.0) -> Values:
    """The values within [low, high]; what is unknown stays so."""
    found: Values = np.minimum(np.maximum(values, low), high)
    return found


def share(part: Values, whole: Values) -> Values:
    """part / whole, 0 where the whole is 0."""
    return np.where(whole != 0, part / whole, 0.0)

"""What the factors said at each evaluation, as columns: it depends on no weight, threshold, band or bracket of a strategy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from libs.trading.factor import TRADE_FEED, WARMED_WINDOWS, CoverageName, Omitted, Situation, coverage_of, opinion
from libs.trading.factors import all_factors
from libs.trading.machine import rescoring as machine
from libs.trading.scoring import VALUE_DECIMALS

WINDOWS: tuple[CoverageName, ...] = tuple(sorted(WARMED_WINDOWS))
MOST_FACTORS = 62
"""One bit each in a mask of 64."""
ATR_DECIMALS = 4
"""An ATR has so many decimals more than its price (`libs.indicators.features`)."""
Kind = TypeVar("Kind", bound=np.generic)
_OMISSIONS = {"coverage": machine.COVERAGE, "stale_input": machine.STALE_INPUT, "warm_up": machine.WARM_UP}


@dataclass(frozen=True, slots=True)
class Opinions:
    """Evaluations of some symbols, symbol after symbol, each in order of time; `[factors, rows]` or `[rows]`.

    `factors`: votes in order of names, then scales. `value`: an opinion (0 for none), `omission`: why there is none (a code of
    `machine.rescoring`, 0: there is one), `shown_sign`: the sign of the value as events show it. `share`: coverage, 0 to 1.
    `window_share[w]`: of `WINDOWS`. `unusable`: why nothing could be signalled (code, 0: it could). `rank`: ATR percentile (NaN:
    none). `price` in 10**-price_decimals[symbol] quote units, `atr` in 10**-ATR_DECIMALS of those (0: unknown).
    """

    symbols: tuple[str, ...]
    price_decimals: tuple[int, ...]
    factors: tuple[str, ...]
    symbol: NDArray[np.int64]
    time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    omission: NDArray[np.int8]
    shown_sign: NDArray[np.int8]
    share: NDArray[np.float64]
    window_share: NDArray[np.float64]
    unusable: NDArray[np.int8]
    rank: NDArray[np.float64]
    price: NDArray[np.int64]
    atr: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time_ms)

    def select(self, rows: NDArray[np.int64]) -> "Opinions":
        """Some of the evaluations, in their order."""
        names = [each.name for each in fields(self) if each.name not in ("symbols", "price_decimals", "factors")]
        chosen: dict[str, Any] = {name: np.ascontiguousarray(getattr(self, name)[..., rows]) for name in names}
        return replace(self, **chosen)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Factors as `judge` takes them: votes before scales, each by name. Raises `KeyError` for one that does not exist."""
    known = all_factors()
    return tuple(sorted(set(names), key=lambda name: (known[name].role == "scale", name)))


@dataclass(slots=True)
class OpinionBuilder:
    """Gathers situations, of any symbols in any order, into `Opinions`. Raises `ValueError` for more than 62 factors."""

    factors: Sequence[str]
    _rows: dict[str, list[tuple[object, ...]]] = field(default_factory=dict)
    _decimals: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.factors = in_order(self.factors)
        if len(self.factors) > MOST_FACTORS:
            raise ValueError(f"opinions of {len(self.factors)} factors; at most {MOST_FACTORS} fit a mask")

    def add(self, situation: Situation) -> None:
        """Ask every factor. Raises `ValueError` for an opinion that is no number, or decimals of prices that change."""
        row = situation.row
        opinions = [self._opinion(name, situation) for name in self.factors]
        price, atr = self._prices(row.symbol, row.price, row.atr)
        self._rows.setdefault(row.symbol, []).append(
            (
                row.evaluation_time_ms,
                _unusable(situation),
                np.nan if row.atr_percentile is None else row.atr_percentile,
                price,
                atr,
                *(situation.coverage[window] for window in WINDOWS),
                *(part for four in opinions for part in four),
            )
        )

    def build(self) -> Opinions:
        """The table of everything so far. Raises `ValueError` when an evaluation came twice."""
        symbols = tuple(sorted(self._rows))
        rows = [row for name in symbols for row in sorted(self._rows[name])]
        symbol = np.repeat(np.arange(len(symbols)), [len(self._rows[name]) for name in symbols]).astype(np.int64)
        columns = list(zip(*rows, strict=True)) if rows else [()] * (5 + len(WINDOWS) + 4 * len(self.factors))
        time_ms = np.array(columns[0], np.int64)
        if bool(np.any((np.diff(time_ms) <= 0) & (np.diff(symbol) == 0))):
            raise ValueError("an evaluation came twice")
        voices = columns[5 + len(WINDOWS) :]
        return Opinions(
            symbols=symbols,
            price_decimals=tuple(self._decimals.get(name, 0) for name in symbols),
            factors=tuple(self.factors),
            symbol=symbol,
            time_ms=time_ms,
            value=_table(voices[0::4], len(rows), np.float64),
            omission=_table(voices[1::4], len(rows), np.int8),
            shown_sign=_table(voices[2::4], len(rows), np.int8),
            share=_table(voices[3::4], len(rows), np.float64),
            window_share=_table(columns[5 : 5 + len(WINDOWS)], len(rows), np.float64),
            unusable=np.array(columns[1], np.int8),
            rank=np.array(columns[2], np.float64),
            price=np.array(columns[3], np.int64),
            atr=np.array(columns[4], np.int64),
        )

    def _opinion(self, name: str, situation: Situation) -> tuple[float, int, int, float]:
        factor = all_factors()[name]
        share, said = coverage_of(factor, situation).share, opinion(factor, situation)
        if isinstance(said, Omitted):
            return 0.0, _OMISSIONS[said.code], 0, share
        if not np.isfinite(said):
            raise ValueError(f"{name} said {said} of {situation.row.symbol} at {situation.row.evaluation_time_ms}")
        shown = round(said, VALUE_DECIMALS)
        return said, machine.EMITTED, (shown > 0) - (shown < 0), share

    def _prices(self, symbol: str, price: Decimal | None, atr: Decimal | None) -> tuple[int, int]:
        if price is None:
            return 0, 0
        exponent = price.as_tuple().exponent
        assert isinstance(exponent, int), "a price is finite"
        decimals = self._decimals.setdefault(symbol, -exponent)
        if decimals != -exponent:
            raise ValueError(f"{symbol}: the decimals of its prices change from {decimals} to {-exponent}")
        return int(price.scaleb(decimals)), _atr(atr, decimals)


def _unusable(situation: Situation) -> int:
    """What refuses every strategy's signal, in the order of `judge`."""
    feed, row = situation.feeds.get(TRADE_FEED), situation.row
    if feed is not None and not feed.live:
        return machine.FEED_NOT_LIVE
    if row.price is None or not row.atr or row.atr_percentile is None:
        return machine.WARM_UP
    return machine.EMITTED


def _atr(atr: Decimal | None, price_decimals: int) -> int:
    """Raises `ValueError` for an ATR with more decimals than it can have."""
    if not atr:
        return 0
    scaled = atr.scaleb(price_decimals + ATR_DECIMALS)
    if scaled != int(scaled):
        raise ValueError(f"an ATR of {atr} is finer than {price_decimals + ATR_DECIMALS} decimals")
    return int(scaled)


def _table(columns: Sequence[Sequence[Any]], rows: int, kind: type[Kind]) -> NDArray[Kind]:
    table: NDArray[Kind] = np.empty((len(columns), rows), kind)
    for place, column in enumerate(columns):
        table[place] = column
    return table

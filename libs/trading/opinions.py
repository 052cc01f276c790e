"""What the factors said at each evaluation, as columns: it depends on no weight, threshold, band or bracket of a strategy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from libs.indicators.features import EXTRA_DECIMALS
from libs.trading.asking import Asked, ask
from libs.trading.columns import Columns, joined
from libs.trading.factor import WARMED_WINDOWS, CoverageName
from libs.trading.factors import all_factors
from libs.trading.inputs import TRADE_FEED
from libs.trading.machine import rescoring as machine
from libs.trading.scoring import VALUE_DECIMALS

WINDOWS: tuple[CoverageName, ...] = tuple(sorted(WARMED_WINDOWS))
MOST_FACTORS = 62
"""One bit each in a mask of 64."""
ATR_DECIMALS = EXTRA_DECIMALS
"""An ATR has so many decimals more than its price (`libs.indicators.features`)."""
Kind = TypeVar("Kind", bound=np.generic)
FINEST_MS = 1_000
"""The finest grid that a strategy may have."""
_OF_ALL_ROWS = ("symbols", "price_decimals", "factors", "interval_ms")


@dataclass(frozen=True, slots=True)
class Opinions:
    """Evaluations of some symbols, symbol after symbol, each in order of time; `[factors, rows]` or `[rows]`.

    `factors`: votes in order of names, then scales. `value`: an opinion (0 for none), `omission`: why there is none (a code of
    `machine.rescoring`, 0: there is one), `shown_sign`: the sign of the value as events show it. `share`: coverage, 0 to 1.
    `window_share[w]`: of `WINDOWS`. `unusable`: why nothing could be signalled (code, 0: it could). `rank`: ATR percentile (NaN:
    none). `price` in 10**-price_decimals[symbol] quote units, `atr` in 10**-ATR_DECIMALS of those (0: unknown).
    `interval_ms`: the grid of the evaluations, and with it the finest of the strategies that can be scored on them.
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
    interval_ms: int

    def __len__(self) -> int:
        return len(self.time_ms)

    def select(self, rows: NDArray[np.int64]) -> "Opinions":
        """Some of the evaluations, in their order."""
        names = [each.name for each in fields(self) if each.name not in _OF_ALL_ROWS]
        chosen: dict[str, Any] = {name: np.ascontiguousarray(getattr(self, name)[..., rows]) for name in names}
        return replace(self, **chosen)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Factors as `judge` takes them: votes before scales, each by name. Raises `KeyError` for one that does not exist."""
    known = all_factors()
    return tuple(sorted(set(names), key=lambda name: (known[name].role == "scale", name)))


@dataclass(slots=True)
class OpinionBuilder:
    """Gathers evaluations, of any symbols in any order, into `Opinions`; `interval_ms`: their grid.

    Raises `ValueError` for more than 62 factors.
    """

    factors: Sequence[str]
    interval_ms: int = FINEST_MS
    _parts: dict[str, list[Columns]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.factors = in_order(self.factors)
        if len(self.factors) > MOST_FACTORS:
            raise ValueError(f"opinions of {len(self.factors)} factors; at most {MOST_FACTORS} fit a mask")

    def add(self, symbol: str, columns: Columns) -> None:
        """Evaluations of one symbol."""
        self._parts.setdefault(symbol, []).append(columns)

    def build(self) -> Opinions:
        """Ask every factor. Raises `ValueError` when an evaluation came twice, for an opinion that is no number, or decimals of
        prices that change."""
        symbols = tuple(sorted(self._parts))
        tables = [_in_time(name, self._parts[name]) for name in symbols]
        asked = {
            name: [_asked(name, columns, symbol) for symbol, columns in zip(symbols, tables, strict=True)]
            for name in self.factors
        }
        rows = sum(len(table) for table in tables)
        value = _table([_together([each.value for each in asked[name]]) for name in self.factors], rows, np.float64)
        return Opinions(
            symbols=symbols,
            price_decimals=tuple(table.features.price_decimals for table in tables),
            factors=tuple(self.factors),
            symbol=np.repeat(np.arange(len(symbols)), [len(table) for table in tables]).astype(np.int64),
            time_ms=_together([table.time_ms for table in tables], np.int64),
            value=value,
            omission=_table(
                [_together([each.omission for each in asked[name]], np.int8) for name in self.factors], rows, np.int8
            ),
            shown_sign=_shown_sign(value),
            share=_table([_together([each.share for each in asked[name]]) for name in self.factors], rows, np.float64),
            window_share=_table(
                [_together([table.coverage(window) for table in tables]) for window in WINDOWS], rows, np.float64
            ),
            unusable=_together([_unusable(table) for table in tables], np.int8),
            rank=_together([table.atr_rank for table in tables]),
            price=_together([table.features.price_ticks for table in tables], np.int64),
            atr=_together([table.features.atr_ticks for table in tables], np.int64),
            interval_ms=self.interval_ms,
        )


def _in_time(symbol: str, parts: Sequence[Columns]) -> Columns:
    try:
        found = joined(parts)
    except ValueError as error:
        raise ValueError(f"{symbol}: {error}") from None
    steps = np.diff(found.time_ms)
    if np.any(steps <= 0):
        found = found.rows(np.argsort(found.time_ms, kind="stable"))
        if np.any(np.diff(found.time_ms) == 0):
            raise ValueError("an evaluation came twice")
    return found


def _asked(name: str, columns: Columns, symbol: str) -> Asked:
    asked = ask(all_factors()[name], columns)
    wrong = np.flatnonzero(~np.isfinite(asked.value))
    if len(wrong):
        row = int(wrong[0])
        raise ValueError(f"{name} said {asked.value[row]} of {symbol} at {columns.time_ms[row]}")
    return asked


def _shown_sign(values: NDArray[np.float64]) -> NDArray[np.int8]:
    """The sign of `round(value, VALUE_DECIMALS)`: half of the last decimal, as a float, is below the half and rounds to 0."""
    shown = np.abs(values) > 0.5 / 10**VALUE_DECIMALS
    return np.where(shown, np.sign(values), 0).astype(np.int8)


def _unusable(columns: Columns) -> NDArray[np.int8]:
    """What refuses every strategy's signal, in the order of `judge`."""
    unknown = np.isnan(columns.price) | np.isnan(columns.atr) | np.isnan(columns.atr_rank)
    usable = np.where(unknown, np.int8(machine.WARM_UP), np.int8(machine.EMITTED))
    return np.where(columns.feed_is_live(TRADE_FEED), usable, np.int8(machine.FEED_NOT_LIVE))


def _together(parts: Sequence[NDArray[Any]], kind: type[Kind] = np.float64) -> NDArray[Kind]:  # type: ignore[assignment]
    return np.concatenate(parts) if parts else np.empty(0, kind)


def _table(columns: Sequence[NDArray[Any]], rows: int, kind: type[Kind]) -> NDArray[Kind]:
    table: NDArray[Kind] = np.empty((len(columns), rows), kind)
    for place, column in enumerate(columns):
        table[place] = column
    return table

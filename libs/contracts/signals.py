"""What the signal engine says: a feature row per evaluation, and scored signals that explain themselves.

Every value is a pure function of the timeline, so that a replay gives the same bytes; wall-clock times are in headers.
"""

from decimal import Decimal
from typing import ClassVar, Literal

import msgspec

from libs.contracts.event import Event

Direction = Literal["long", "short", "none"]
SignalState = Literal["emitted", "refused"]
TakeProfitType = Literal["limit", "market"]
OppositeSignal = Literal["ignore", "close"]
WorkingType = Literal["last", "mark"]
RefusalReason = Literal[
    "feed_not_live",
    "coverage",
    "stale_input",
    "cooldown",
    "direction_conflict",
    "atr_regime",
    "warm_up",
    "disabled",
    "symbol_locked",
]


class WindowFeatures(msgspec.Struct, frozen=True, kw_only=True):
    """One rolling window [E - length, E): CVD (signed base quantity), volume (base), VWAP (quote per base, None when empty)
    and coverage (known share of the window, 0 to 1)."""

    window: Literal["5m", "30m", "4h"]
    cvd: Decimal
    volume: Decimal
    notional: Decimal
    vwap: Decimal | None
    coverage: float


class SlowInput(msgspec.Struct, frozen=True, kw_only=True):
    """A slow input as the log had it at this evaluation: its value, the instant it describes and its age there (ms)."""

    name: str
    value: Decimal
    as_of_ms: int
    age_ms: int


class FactorContribution(msgspec.Struct, frozen=True, kw_only=True):
    """What one factor gave: `value` in [-1, 1] (positive = long), times `weight`; or why it was omitted (then both are 0).

    `coverage`: how much of its data it had, 0 to 1 (docs/strategies.md); not there in records from before November 2026.
    """

    factor: str
    value: float
    weight: float
    contribution: float
    omitted: str | None = None
    coverage: float | msgspec.UnsetType = msgspec.UNSET


class StrategyScore(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy's verdict at an evaluation, in short; score 0 to 100.

    `contributions`: what each factor that counted gave, positive for long; their sum times 100 is the signed score. Older
    records do not have it.
    """

    strategy: str
    version: int
    score: float
    threshold: float
    direction: Direction
    contributions: dict[str, float] | msgspec.UnsetType = msgspec.UNSET


class IndicatorComputed(Event, frozen=True, kw_only=True):
    """The features of one symbol at one evaluation of the grid. `event_time_ms` is the grid time E: trades with t < E count.

    `price` is the last trade before E. Large-trade thresholds and flows are notional (quote units), flows over the 5-minute
    window. `atr` is Wilder's ATR(14) of 5-minute candles in quote units, `atr_percentile` its rank among the last 288.
    `effective_at_ms` is the watermark that released the evaluation.
    """

    SCHEMA: ClassVar[str] = "indicator_computed/1"

    symbol: str
    interval_ms: int
    effective_at_ms: int
    price: Decimal | None
    windows: tuple[WindowFeatures, ...]
    large_p95: Decimal | None
    large_p99: Decimal | None
    large_buy_p95: Decimal
    large_sell_p95: Decimal
    large_buy_p99: Decimal
    large_sell_p99: Decimal
    size_coverage: float
    atr: Decimal | None
    atr_percentile: float | None
    slow_inputs: tuple[SlowInput, ...]
    scores: tuple[StrategyScore, ...]
    last_agg_id: int
    trades_late: int
    trades_missing: int


class SignalScored(Event, frozen=True, kw_only=True):
    """An evaluation whose score crossed its threshold, or would have without a gate, in exactly one terminal state: emitted, or
    refused with a reason.

    `event_id` = f(strategy, version, symbol, evaluation time). `sentence` is the explanation a person reads first. Bracket
    prices are in quote units; `hold_until_ms` is when the position is closed at the latest. `coverage` (0 to 1) by the names of
    windows and of the strategy's factors. `ungated_score` (0 to 100) stands only in one that a gate kept below its threshold:
    what the score would have been (docs/decisions/0009-scoring.md); `direction` and bracket are then those of that score.
    `take_profit_type`, `on_opposite_signal`, `trailing_distance` (of a trailing stop after the first take-profit, quote units)
    and `working_type` (the price that triggers its stops) stand beside a bracket whose strategy wants them otherwise than limit,
    ignore, none and last.
    """

    SCHEMA: ClassVar[str] = "signal_scored/1"

    strategy: str
    version: int
    symbol: str
    score: float
    threshold: float
    direction: Direction
    state: SignalState
    reason: RefusalReason | None
    sentence: str
    price: Decimal
    atr: Decimal | None
    take_profit_1: Decimal | None
    take_profit_2: Decimal | None
    stop_loss: Decimal | None
    hold_until_ms: int | None
    contributions: tuple[FactorContribution, ...]
    inputs: dict[str, Decimal | None]
    coverage: dict[str, float]
    ungated_score: float | msgspec.UnsetType = msgspec.UNSET
    take_profit_type: TakeProfitType | msgspec.UnsetType = msgspec.UNSET
    on_opposite_signal: OppositeSignal | msgspec.UnsetType = msgspec.UNSET
    trailing_distance: Decimal | msgspec.UnsetType = msgspec.UNSET
    working_type: WorkingType | msgspec.UnsetType = msgspec.UNSET

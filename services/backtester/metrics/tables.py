"""The tables of a report: trades by what they have in common, signals by what became of them, results by day."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal

import msgspec
import numpy as np

from libs.kit.durations import DAY_MS
from libs.trading.outcome import Outcome
from services.backtester.metrics import trades
from services.backtester.metrics.figure import CENT, Figure, stable
from services.backtester.result import BacktestResult, Silence

HOLD_MINUTES = (5, 15, 30, 60, 120, 240)
SCORE_STEP = 5


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Trades with one thing in common. Money in quote units, hold in ms."""

    key: str
    trades: int
    wins: int
    win_rate: Figure
    net: float
    gross: float
    costs: float
    expectancy: Figure
    expectancy_r: Figure
    profit_factor: Figure
    median_hold_ms: Figure


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Signals that opened no position: `engine` refused them, or the `portfolio` could not take them. `share`: of all signals."""

    stage: Literal["engine", "portfolio"]
    reason: str
    count: int
    share: float


class DayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a day (UTC) changed of the account: quote units, and as share of the equity at its start (None: nothing was left)."""

    day: str
    result: float
    share: float | None


class Tables(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every table; hours are those of the entry (UTC), scores in steps of five. `silent`: evaluations without a signal; reports
    from before these were counted have none, and are hashed as they were written."""

    by_symbol: tuple[Group, ...]
    by_strategy: tuple[Group, ...]
    by_direction: tuple[Group, ...]
    by_hour: tuple[Group, ...]
    by_exit: tuple[Group, ...]
    by_score: tuple[Group, ...]
    by_hold: tuple[Group, ...]
    refused: tuple[Refused, ...]
    days: tuple[DayResult, ...]
    silent: tuple[Silence, ...] = ()


def tables(result: BacktestResult) -> Tables:
    """All tables of a result."""
    outcomes = result.outcomes
    return Tables(
        by_symbol=grouped(outcomes, lambda outcome: outcome.symbol),
        by_strategy=grouped(outcomes, lambda outcome: f"{outcome.strategy} v{outcome.version}"),
        by_direction=grouped(outcomes, lambda outcome: outcome.direction),
        by_hour=grouped(outcomes, lambda outcome: f"{outcome.entry.time_ms // 3_600_000 % 24:02d}:00"),
        by_exit=grouped(outcomes, lambda outcome: outcome.exit_reason),
        by_score=grouped(outcomes, lambda outcome: score_step(outcome.score)),
        by_hold=_by_hold(outcomes),
        refused=refused(result),
        days=day_results(result),
        silent=tuple(msgspec.structs.replace(one, share=stable(one.share)) for one in result.silences),
    )


def grouped(outcomes: Sequence[Outcome], key: Callable[[Outcome], str]) -> tuple[Group, ...]:
    """The groups in order of their keys."""
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(key(outcome), []).append(outcome)
    return tuple(group(name, found[name]) for name in sorted(found))


def group(name: str, outcomes: Sequence[Outcome]) -> Group:
    """One row; each figure as `services.backtester.metrics.trades` defines it."""
    return Group(
        key=name,
        trades=len(outcomes),
        wins=sum(outcome.net > 0 for outcome in outcomes),
        win_rate=trades.win_rate(outcomes),
        net=stable(trades.total(outcome.net for outcome in outcomes)),
        gross=stable(trades.total(outcome.gross for outcome in outcomes)),
        costs=stable(trades.total(outcome.fees + outcome.slippage + outcome.funding for outcome in outcomes)),
        expectancy=trades.expectancy(outcomes),
        expectancy_r=trades.expectancy_r(outcomes),
        profit_factor=trades.profit_factor(outcomes),
        median_hold_ms=trades.median_hold(outcomes),
    )


def score_step(score: float) -> str:
    """The step of a score: 75–80 for 77.3; 100 belongs to the last one."""
    low = min(int(score) // SCORE_STEP * SCORE_STEP, 100 - SCORE_STEP)
    return f"{low}–{low + SCORE_STEP}"


def hold_step(held_ms: int) -> int:
    """Which of the steps of hold times this one is in, from 0."""
    return int(np.searchsorted(HOLD_MINUTES, held_ms / 60_000, side="right"))


def hold_names() -> tuple[str, ...]:
    """The steps of hold times as people read them, the shortest first."""
    between = (f"{low}–{high} min" for low, high in pairwise(HOLD_MINUTES))
    return f"under {HOLD_MINUTES[0]} min", *between, f"{HOLD_MINUTES[-1]} min and more"


def _by_hold(outcomes: Sequence[Outcome]) -> tuple[Group, ...]:
    found: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(hold_step(outcome.held_ms), []).append(outcome)
    return tuple(group(name, found[step]) for step, name in enumerate(hold_names()) if step in found)


def refused(result: BacktestResult) -> tuple[Refused, ...]:
    """Refusals of the engine, then of the portfolio, the most frequent first."""
    engine = Counter(str(signal.reason) for signal in result.signals if signal.state == "refused")
    portfolio = Counter(str(signal.reason) for signal in result.not_taken)
    whole = len(result.signals)
    return (*_refused("engine", engine, whole), *_refused("portfolio", portfolio, whole))


def _refused(stage: Literal["engine", "portfolio"], reasons: Counter[str], whole: int) -> Iterable[Refused]:
    for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
        share = stable(count / whole) if whole else 0.0
        yield Refused(stage=stage, reason=reason, count=count, share=share)


def day_results(result: BacktestResult) -> tuple[DayResult, ...]:
    """Change of the equity over each day of the calendar (UTC) that the range touches. Source: definition."""
    facts, curve = result.facts, result.equity
    if facts.end_ms <= facts.start_ms:
        return ()
    first = facts.start_ms // DAY_MS
    ends = DAY_MS * np.arange(first + 1, (facts.end_ms - 1) // DAY_MS + 2)
    # What stands exactly at midnight is the day's close.
    place = np.searchsorted(curve.time_ms, ends, side="right")
    closes = np.concatenate(([facts.starting_balance], curve.equity))[place]
    opens = np.concatenate(([facts.starting_balance], closes[:-1]))
    return tuple(
        DayResult(
            day=datetime.fromtimestamp((first + number) * DAY_MS / 1000, UTC).date().isoformat(),
            result=stable(float(close - open_)),
            share=stable(float(close / open_ - 1)) if open_ >= CENT else None,
        )
        for number, (open_, close) in enumerate(zip(opens, closes, strict=True))
    )

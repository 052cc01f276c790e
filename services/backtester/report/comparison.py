"""Two runs side by side: their figures, the signals that only one has, and the same signals with another fate."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from libs.trading.outcome import Outcome
from services.backtester.metrics.catalogue import CATALOGUE
from services.backtester.metrics.figure import stable
from services.backtester.report.document import Report, make_report
from services.backtester.result import BacktestResult, RunFacts, SignalRow

SCHEMA = "backtest_comparison/1"
Key = tuple[str, ...]
T = TypeVar("T")


class FigurePair(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of both, and b - a (None where one of them is unknown)."""

    name: str
    a: float | None
    b: float | None
    difference: float | None


class OtherSignal(msgspec.Struct, frozen=True, kw_only=True):
    """The same evaluation with another verdict: state and reason, direction or score."""

    a: SignalRow
    b: SignalRow


class OtherOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The same signal, traded in both with another result, or in one only. R is None where it opened no position."""

    symbol: str
    time_ms: int
    strategy: str
    a_exit: str
    b_exit: str
    a_r: float | None
    b_r: float | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """`matched_by`: "signal id", or "symbol and time" where the strategies differ and no id can be the same.

    `same_signals`: in both with equal verdict; `same_outcomes`: traded in both with equal net result and exits.
    """

    schema: str
    a: RunFacts
    b: RunFacts
    a_hash: str
    b_hash: str
    matched_by: str
    figures: tuple[FigurePair, ...]
    same_signals: int
    same_outcomes: int
    only_a: tuple[SignalRow, ...]
    only_b: tuple[SignalRow, ...]
    other_signals: tuple[OtherSignal, ...]
    other_outcomes: tuple[OtherOutcome, ...]

    @property
    def equal(self) -> bool:
        """Whether the two say the same of every signal and every trade."""
        return not (self.only_a or self.only_b or self.other_signals or self.other_outcomes)


def compare(a: BacktestResult | Report, b: BacktestResult | Report) -> Comparison:
    """The comparison of two results, or of two reports that were read from files."""
    first, second = (one if isinstance(one, Report) else make_report(one) for one in (a, b))
    by_id = _versions(first.facts) == _versions(second.facts)
    signal_key, outcome_key = (_signal_id, _outcome_id) if by_id else (_signal_place, _outcome_place)
    signals = _keyed(first.signals, signal_key), _keyed(second.signals, signal_key)
    outcomes = _keyed(first.trades, outcome_key), _keyed(second.trades, outcome_key)
    shared = [key for key in signals[0] if key in signals[1]]
    other = [
        OtherSignal(a=signals[0][key], b=signals[1][key])
        for key in shared
        if _verdict(signals[0][key]) != _verdict(signals[1][key])
    ]
    traded = list(dict.fromkeys([*outcomes[0], *outcomes[1]]))
    differing = [key for key in traded if _fate(outcomes[0].get(key)) != _fate(outcomes[1].get(key))]
    return Comparison(
        schema=SCHEMA,
        a=first.facts,
        b=second.facts,
        a_hash=first.report_hash,
        b_hash=second.report_hash,
        matched_by="signal id" if by_id else "symbol and time",
        figures=_figures(first, second),
        same_signals=len(shared) - len(other),
        same_outcomes=len(traded) - len(differing),
        only_a=tuple(row for key, row in signals[0].items() if key not in signals[1]),
        only_b=tuple(row for key, row in signals[1].items() if key not in signals[0]),
        other_signals=tuple(other),
        other_outcomes=tuple(_other(outcomes[0].get(key), outcomes[1].get(key)) for key in differing),
    )


def encoded(comparison: Comparison) -> bytes:
    """The comparison as JSON text: the same bytes for the same two reports."""
    return msgspec.json.format(msgspec.json.encode(comparison, order="deterministic"), indent=1) + b"\n"


def _versions(facts: RunFacts) -> set[tuple[str, int]]:
    return {(name, version) for name, version, _ in facts.strategies}


def _keyed(rows: tuple[T, ...], key: Callable[[T], Key]) -> Mapping[Key, T]:
    """Rows by key; of several with the same (strategies at one place) each has its number in it."""
    seen = Counter[Key]()
    found: dict[Key, T] = {}
    for row in rows:
        name = key(row)
        found[(*name, str(seen[name]))] = row
        seen[name] += 1
    return found


def _signal_id(row: SignalRow) -> Key:
    return (row.signal_id,)


def _outcome_id(one: Outcome) -> Key:
    return (one.signal_id,)


def _signal_place(row: SignalRow) -> Key:
    return row.symbol, str(row.time_ms)


def _outcome_place(one: Outcome) -> Key:
    return one.symbol, str(one.signal_time_ms)


def _verdict(row: SignalRow) -> tuple[str, str | None, str, float]:
    return row.state, row.reason, row.direction, row.score


def _fate(one: Outcome | None) -> object:
    return None if one is None else (one.net, one.entry, one.exits)


def _other(a: Outcome | None, b: Outcome | None) -> OtherOutcome:
    one = a or b
    assert one is not None, "a key comes from one of the two"
    return OtherOutcome(
        symbol=one.symbol,
        time_ms=one.signal_time_ms,
        strategy=one.strategy,
        a_exit=a.exit_reason if a else "not traded",
        b_exit=b.exit_reason if b else "not traded",
        a_r=a.net_r if a else None,
        b_r=b.net_r if b else None,
    )


def _figures(a: Report, b: Report) -> tuple[FigurePair, ...]:
    pairs = []
    for metric in CATALOGUE:
        first, second = getattr(a.figures, metric.name).value, getattr(b.figures, metric.name).value
        both = first is not None and second is not None
        pairs.append(
            FigurePair(name=metric.name, a=first, b=second, difference=stable(second - first) if both else None)
        )
    return tuple(pairs)

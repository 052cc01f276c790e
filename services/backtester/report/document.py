"""The report as one document: what the JSON file holds, and what the terminal, the page and comparisons are made of."""

import hashlib

import msgspec
import numpy as np

from libs.trading.outcome import NotTaken, Outcome
from services.backtester.metrics.drawdown import Drawdown, drawdown, underwater
from services.backtester.metrics.figure import stable
from services.backtester.metrics.figures import Figures, figures
from services.backtester.metrics.tables import Tables, tables
from services.backtester.report.thinning import extremes
from services.backtester.report.words import listed
from services.backtester.result import (
    MARKS_OF_STOPS,
    TRADES,
    WARM_UP,
    BacktestResult,
    InputCoverage,
    RunFacts,
    SignalRow,
)

SCHEMA = "backtest_report/2"
EQUITY_POINTS = 3000
FEW_DAYS, FEW_TRADES = 30, 100


class EquityPoints(msgspec.Struct, frozen=True, kw_only=True):
    """The curve with its extremes: ms, quote units, and share below the highest so far (0 or below)."""

    time_ms: tuple[int, ...]
    equity: tuple[float, ...]
    underwater: tuple[float, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a report says. `report_hash`: SHA-256 of the document without itself, the version of the code, and the
    words for the source, which name a folder: the same data and configuration have the same hash. Nothing comes from a clock of
    ours."""

    schema: str
    report_hash: str
    facts: RunFacts
    cautions: tuple[str, ...]
    coverage: tuple[InputCoverage, ...]
    figures: Figures
    deepest: Drawdown
    tables: Tables
    trades: tuple[Outcome, ...]
    not_taken: tuple[NotTaken, ...]
    signals: tuple[SignalRow, ...]
    equity: EquityPoints


def make_report(result: BacktestResult) -> Report:
    """The report of a result; the same result gives the same report, whoever makes it.

    Raises `ValueError` for a range that is empty or an account that begins with nothing: nothing can be said of either.
    """
    if result.facts.end_ms <= result.facts.start_ms:
        raise ValueError("the range of the result is empty")
    if result.facts.starting_balance <= 0:
        raise ValueError("the starting balance must be above 0")
    report = Report(
        schema=SCHEMA,
        report_hash="",
        facts=result.facts,
        cautions=cautions(result),
        coverage=result.coverage,
        figures=figures(result),
        deepest=drawdown(result.equity, result.facts),
        tables=tables(result),
        trades=result.outcomes,
        not_taken=result.not_taken,
        signals=result.signals,
        equity=_equity(result),
    )
    return msgspec.structs.replace(report, report_hash=report_hash(report))


def report_hash(report: Report) -> str:
    """The digest of what the report says."""
    facts = msgspec.structs.replace(report.facts, code_version="", source="")
    content = msgspec.structs.replace(report, report_hash="", facts=facts)
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def encoded(report: Report) -> bytes:
    """The document as JSON text: the same bytes for the same report."""
    return msgspec.json.format(msgspec.json.encode(report, order="deterministic"), indent=1) + b"\n"


def read_report(data: bytes) -> Report:
    """A report from its JSON text. Raises `ValueError` (in one line) for what is none, or was changed after it was written."""
    try:
        report = msgspec.json.decode(data, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not a backtest report: {error}") from None
    if report.schema != SCHEMA:
        raise ValueError(f"a report of schema {report.schema}, known is {SCHEMA}")
    if report_hash(report) != report.report_hash:
        raise ValueError("the report was changed after it was written: its hash does not fit its content")
    return report


def none_refused(report: Report) -> str:
    """What stands where no signal was refused; a run without any signal is no proof that nothing was held back."""
    if report.signals or not report.tables.silent:
        return "No signal was refused."
    return "No signal was refused, because no evaluation came to one: see the evaluations without a signal."


def cautions(result: BacktestResult) -> tuple[str, ...]:
    """What a reader must know before any figure."""
    facts, found = result.facts, list[str]()
    if facts.ideal:
        found.append("IDEAL: costs are off; no account could have made these results")
    if facts.days < FEW_DAYS:
        found.append(f"{facts.days:.3g} days are few: a figure a year is only a rate, its band says how sure")
    if 0 < len(result.outcomes) < FEW_TRADES:
        found.append(f"{len(result.outcomes)} trades are few: read the bands, not the figures")
    if not result.outcomes:
        found.append("no position was opened")
    shares = [one.share for one in result.coverage if one.name != WARM_UP]
    if partial := sum(share < 1 for share in shares):
        found.append(f"{partial} of {len(shares)} inputs have holes, see coverage")
    if any(one.name == WARM_UP for one in result.coverage):
        found.append(
            "the warm-up lacks trades, see coverage: the first hours are not those of an engine that ran for long"
        )
    if facts.view == "as-seen" and any(one.name == TRADES and one.share < 1 for one in result.coverage):
        found.append(
            "as-seen view: fills, too, meet only the trades that the live engine saw, and none inside its holes"
        )
    refused = [f"{one.symbol} {one.name}" for one in result.coverage if one.insisted and one.share < 1]
    if refused:
        found.append(f"signals were refused where {listed(refused)} was missing: a strategy insists on it")
    if any(one.name == MARKS_OF_STOPS and one.missing for one in result.coverage):
        found.append("stops by the mark price were touched later or not at all where it was not known, see coverage")
    if facts.view == "repaired":
        found.append("repaired view: holes that the live engine had were filled afterwards")
    if facts.configurations > 1:
        found.append(f"the best of {facts.configurations:,} configurations: some of the result is selection")
    return tuple(found)


def _equity(result: BacktestResult) -> EquityPoints:
    """The start with its balance, then the curve: highs and lows of the equity and of what it lost stay."""
    curve, facts = result.equity, result.facts
    below = underwater(curve.equity, facts.starting_balance)
    kept = np.union1d(extremes(curve.equity, EQUITY_POINTS), extremes(below, EQUITY_POINTS // 2))
    return EquityPoints(
        time_ms=(facts.start_ms, *curve.time_ms[kept].tolist()),
        equity=(stable(facts.starting_balance), *(stable(value) for value in curve.equity[kept].tolist())),
        underwater=(0.0, *(stable(value) for value in below[kept].tolist())),
    )

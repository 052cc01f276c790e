"""The check of a range: what the live engine recorded, the replay of the same data, and whether the two can be compared."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from libs.contracts.signals import SignalScored
from libs.kit.errors import ConfigurationError, UnreachableError, UserError
from libs.kit.settings import DatabaseSettings, load_settings
from libs.store.drift_checks import Evaluated, evaluated_in, evaluation_bounds, missing_without_hole
from libs.store.engine import Engine, create_engine
from libs.store.instants import instant, milliseconds
from libs.store.signal_history import recorded_signals
from services.backtester.app import open_source
from services.backtester.drift import Drift, compare_signals, not_comparable
from services.backtester.request import BacktestRequest
from services.backtester.runner import Run
from services.backtester.walk import Progress

# The first evaluation of a symbol that appears at midnight is one interval later.
_LONGEST_INTERVAL_MS = 60_000
NOTHING_LIVE = "the live engine evaluated nothing in this range"


@dataclass(frozen=True, slots=True)
class Known:
    """From when to when (ms, both included) the live evaluations of a symbol are recorded within the range."""

    symbol: str
    first_ms: int
    last_ms: int
    whole: bool

    def holds(self, signal: SignalScored) -> bool:
        return self.first_ms <= signal.event_time_ms <= self.last_ms


async def check_drift(request: BacktestRequest, shown: Progress) -> Drift:
    """Replay with the configurations that were in force, unless files are named, and compare with what was recorded.

    Raises `ConfigurationError` for a request that no data could answer and `UnreachableError`; whatever else stands in the
    way of a comparison is its result.
    """
    engine = create_engine(load_settings(DatabaseSettings), application="perpstream drift")
    try:
        return await _checked(engine, request, shown)
    finally:
        await engine.dispose()


async def _checked(engine: Engine, request: BacktestRequest, shown: Progress) -> Drift:
    start, stop, span = instant(request.start_ms), instant(request.end_ms), (request.start_ms, request.end_ms)
    shown.phase("looking at what the live engine said")
    found = await evaluated_in(engine, start, stop)
    evaluated = [each for each in found if not request.symbols or each.symbol in request.symbols]
    if not evaluated:
        return not_comparable(NOTHING_LIVE, span)
    count = sum(each.evaluations for each in evaluated)
    names = [each.symbol for each in evaluated]
    if request.source == "postgres" and (what := await _lost(engine, names, start, stop)):
        return not_comparable(what, span, count)
    live = await recorded_signals(engine, start, stop, names)
    known = await _known(engine, evaluated, request)
    try:
        replayed = await _replayed(request.model_copy(update={"symbols": tuple(names)}), shown)
    except (ConfigurationError, UnreachableError):
        raise
    except UserError as error:
        return not_comparable(str(error.advice), span, count)
    drift = compare_signals(_within(live, known), _within(replayed, known), span)
    notes = [drift.reason, *(_note(each) for each in known.values() if not each.whole)]
    return msgspec.structs.replace(drift, reason="; ".join(filter(None, notes)), evaluations=count)


async def _lost(engine: Engine, names: Sequence[str], start: dt.datetime, stop: dt.datetime) -> str:
    """Trades that the log had and the tables do not; "" when there are none."""
    counts = {name: await missing_without_hole(engine, name, start, stop) for name in names}
    return ", ".join(
        f"{count:,} trades of {name} are neither stored nor a hole of the log"
        for name, count in counts.items()
        if count
    )


async def _known(engine: Engine, evaluated: Sequence[Evaluated], request: BacktestRequest) -> dict[str, Known]:
    """A symbol that came, went, or is not recorded to the end is compared as far as its live evaluations are known."""
    bounds, found = await evaluation_bounds(engine), {}
    for each in evaluated:
        first, last = (milliseconds(moment) for moment in bounds[each.symbol])
        low = max(first, request.start_ms)
        high = request.end_ms if last >= request.end_ms else milliseconds(each.last)
        whole = first <= request.start_ms + _LONGEST_INTERVAL_MS and last >= request.end_ms
        found[each.symbol] = Known(each.symbol, low, high, whole)
    return found


async def _replayed(request: BacktestRequest, shown: Progress) -> Sequence[SignalScored]:
    found = list[SignalScored]()
    async with open_source(request) as source:
        await Run(request, source, shown, found).run()
    return found


def _within(signals: Sequence[SignalScored], known: dict[str, Known]) -> list[SignalScored]:
    return [signal for signal in signals if known[signal.symbol].holds(signal)]


def _note(known: Known) -> str:
    first, last = (f"{instant(moment):%Y-%m-%d %H:%M:%S}" for moment in (known.first_ms, known.last_ms))
    return f"{known.symbol} only from {first} to {last}, as far as its live evaluations are recorded"

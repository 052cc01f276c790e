"""`python -m services.backtester.nightly`: each night the day before is compared with its replay, and what is found is told.

What is due follows from the results that are stored: a missed night is caught up, and a check that was killed is done again.
"""

import asyncio
import datetime as dt
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from libs.contracts.topics import ALERT
from libs.kit.clock import Clock, SystemClock
from libs.kit.errors import UnreachableError
from libs.kit.logging import get_logger
from libs.kit.metrics import gauge
from libs.kit.service import ServiceContext, run_service
from libs.kit.settings import DatabaseSettings, KafkaSettings, load_settings
from libs.kit.tasks import run_all, run_until
from libs.store.drift_checks import (
    DriftCheck,
    drift_checks,
    evaluation_bounds,
    mark_alerted,
    write_drift_check,
)
from libs.store.engine import Engine, check_reachable, create_engine, write_session
from libs.store.instants import instant, milliseconds
from libs.store.schema_version import require_current
from libs.streaming.connection import BrokerError
from libs.streaming.producer import EventProducer
from services.backtester.day_replay import ReplayFailed, replayed_day
from services.backtester.drift import VERDICTS, Drift, alert, not_comparable
from services.backtester.due import Bounds, Schedule, behind, day_span, due_days
from services.backtester.settings import DriftSettings

NAME = "drift_check"
DATABASE = "database"
LOOK_SECONDS = 60.0
# A symbol that says nothing more for so long was removed, or its market stands: its day is compared as far as it goes.
PATIENCE_SECONDS = 900.0
MOST_TRIES = 3
SHOWN_DAYS = 7


@dataclass(slots=True)
class Patience:
    """Since when (monotonic seconds) what we wait for is what it is."""

    seconds: float = PATIENCE_SECONDS
    _what: object = None
    _since: float = 0.0

    def over(self, what: object, now: float) -> bool:
        """Whether `what` has not changed for as long as we wait."""
        if what != self._what:
            self._what, self._since = what, now
        return now - self._since >= self.seconds


@dataclass(slots=True)
class NightlyCheck:
    """Checks the days that are due, one after the other, and tells what it finds, however long Kafka is away meanwhile.
    Everything that must survive a restart stands in `drift_checks`."""

    engine: Engine
    bootstrap: str
    schedule: Schedule
    context: ServiceContext
    replay: Callable[[dt.date], Awaitable[Drift]]
    clock: Clock = field(default_factory=SystemClock)
    patience: Patience = field(default_factory=Patience)
    look_seconds: float = LOOK_SECONDS
    _tries: "Counter[dt.date]" = field(default_factory=Counter)
    _said: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """For ever; what is away is waited for."""
        await run_all(self._checking(), self._telling())

    async def _checking(self) -> None:
        while True:
            worked, why = False, ""
            try:
                worked = await self.check()
            except UnreachableError as error:
                why = str(error.advice)
                self.context.miss(DATABASE, why)
            self._say_once("the database is waited for", why)
            if not worked:
                await asyncio.sleep(self.look_seconds)

    async def _telling(self) -> None:
        while True:
            why = ""
            try:
                await self.tell()
            except UnreachableError as error:
                why = str(error.advice)
            except (BrokerError, TimeoutError) as error:
                why = str(error) or "Kafka does not answer"
            self._say_once("alerts wait", why)
            await asyncio.sleep(self.look_seconds)

    async def check(self) -> bool:
        """One look: compare the oldest day that is due; returns whether it has a result now."""
        stored = await self._stored()
        bounds = {
            symbol: (milliseconds(first), milliseconds(last))
            for symbol, (first, last) in (await evaluation_bounds(self.engine)).items()
        }
        due = due_days(bounds, {check.day for check in stored}, self.clock.now_ms(), self.schedule)
        set_gauges(stored, due)
        self.context.details["days_due"] = [str(day) for day in due]
        self.context.fulfil(DATABASE)
        if not due or self._waits(bounds, due[0]):
            return False
        return await self._compare(due[0])

    async def _stored(self) -> list[DriftCheck]:
        return await drift_checks(self.engine, self.schedule.most + SHOWN_DAYS)

    def _waits(self, bounds: Bounds, day: dt.date) -> bool:
        waiting = behind(bounds, day)
        over = self.patience.over((day, waiting), time.monotonic())
        self.context.details["waits_for"] = sorted(waiting)
        return bool(waiting) and not over

    async def _compare(self, day: dt.date) -> bool:
        began = instant(self.clock.now_ms())
        get_logger(NAME).info("a day is compared with its replay", day=str(day))
        try:
            drift = await self.replay(day)
        except ReplayFailed as error:
            self._tries[day] += 1
            get_logger(NAME).warning("the replay failed", day=str(day), tries=self._tries[day], why=str(error))
            if self._tries[day] < MOST_TRIES:
                return False
            drift = not_comparable(f"the replay failed {MOST_TRIES} times, {error}", day_span(day))
        check = result_of(day, drift, began, instant(self.clock.now_ms()))
        async with write_session(self.engine) as session:
            await write_drift_check(session, check)
        _log(check)
        return True

    async def tell(self) -> None:
        """The alerts that Kafka does not have yet, oldest first. A restart in between sends the same id again."""
        checks = [check for check in await self._stored() if check.state != "agreed" and check.alerted_at is None]
        if not checks:
            return
        # What fails is sent again at the next look: no reason to end the process, and a replay with it.
        producer = EventProducer(self.bootstrap, service=NAME, on_failure=lambda _: None)
        await producer.start()
        try:
            for check in reversed(checks):
                raised = alert(check.state, check.reason, day_span(check.day))
                if raised is not None:
                    await (await producer.send(ALERT, raised, key=raised.event_id, partition=0))
                await mark_alerted(self.engine, check.day, instant(self.clock.now_ms()))
        finally:
            await producer.stop()

    def _say_once(self, event: str, why: str) -> None:
        """A line when the reason is a new one; "": there is none any more."""
        if why and why != self._said.get(event):
            get_logger(NAME).warning(event, why=why)
        self._said[event] = why


def result_of(day: dt.date, drift: Drift, began: dt.datetime, finished: dt.datetime) -> DriftCheck:
    """The row of a day."""
    first = drift.differences[0] if drift.differences else None
    return DriftCheck(
        day=day,
        state=drift.state,
        reason=drift.reason,
        rows_compared=drift.compared,
        rows_differing=len(drift.differences),
        evaluations=drift.evaluations,
        first_difference=None if first is None else first.json(),
        began_at=began,
        finished_at=finished,
    )


def set_gauges(stored: Sequence[DriftCheck], due: Sequence[dt.date]) -> None:
    """From what is stored, so that they are the same after a restart."""
    gauge("perpstream_drift_days_due").labels(NAME).set(len(due))
    counts = Counter(check.state for check in stored[:SHOWN_DAYS])
    for state in VERDICTS:
        gauge("perpstream_drift_days").labels(state).set(counts[state])
    if not stored:
        return
    newest = stored[0]
    rows = gauge("perpstream_drift_rows")
    rows.labels("same").set(newest.rows_compared - newest.rows_differing)
    rows.labels("differing").set(newest.rows_differing)
    gauge("perpstream_drift_checked_until_seconds").labels(NAME).set(day_span(newest.day)[1] / 1000)


def _log(check: DriftCheck) -> None:
    log = get_logger(NAME)
    getattr(log, VERDICTS[check.state].log_level)(
        "a day was checked",
        day=str(check.day),
        state=check.state,
        rows=check.rows_compared,
        differing=check.rows_differing,
        evaluations=check.evaluations,
        seconds=round((check.finished_at - check.began_at).total_seconds(), 1),
        reason=check.reason,
    )


async def main(context: ServiceContext) -> None:
    """Check until told to stop. Raises `UnreachableError` or `ConfigurationError` when it cannot begin."""
    settings, kafka = load_settings(DriftSettings), load_settings(KafkaSettings)
    context.expect(DATABASE)
    after_ms = settings.after_midnight_ms
    if after_ms is None:
        get_logger(NAME).info("switched off", setting="PERPSTREAM_DRIFT_AT")
        context.fulfil(DATABASE)
        await context.stopping.wait()
        return
    engine = create_engine(load_settings(DatabaseSettings), application="perpstream drift check", connections=2)
    try:
        await check_reachable(engine)
        await require_current(engine)
        schedule = Schedule(after_ms, settings.drift_days)
        replay = partial(replayed_day, limit_seconds=settings.drift_replay_hours * 3600)
        nightly = NightlyCheck(engine, kafka.kafka_bootstrap, schedule, context, replay)
        await run_until(context.stopping, nightly.run())
    finally:
        await engine.dispose()


if __name__ == "__main__":
    run_service(NAME, main)

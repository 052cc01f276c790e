"""`python -m services.backtester.nightly`: each night the day before is compared with its replay, and what is found is told.

What is due follows from the results that are stored: a missed night is caught up, and a check that was killed is done again.
"""

import asyncio
import datetime as dt
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from libs.contracts.topics import ALERT
from libs.kit.clock import Clock, SystemClock
from libs.kit.errors import UnreachableError
from libs.kit.logging import get_logger
from libs.kit.metrics import gauge
from libs.kit.service import ServiceContext, run_service
from libs.kit.settings import DatabaseSettings, KafkaSettings, load_settings
from libs.kit.tasks import run_until
from libs.store.drift_checks import (
    DriftCheck,
    drift_checks,
    evaluation_bounds,
    mark_alerted,
    write_drift_check,
)
from libs.store.engine import Engine, check_reachable, create_engine, write_session
from libs.store.instants import instant, milliseconds
from libs.store.migrate import require_current
from libs.streaming.connection import BrokerError
from libs.streaming.producer import EventProducer
from services.backtester.day_replay import ReplayFailed, replayed_day
from services.backtester.drift import Drift, alert, not_comparable
from services.backtester.due import DAY_MS, Bounds, Schedule, behind, day_ms, due_days
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
    """Checks the days that are due, one after the other; everything that must survive a restart stands in `drift_checks`."""

    engine: Engine
    bootstrap: str
    schedule: Schedule
    context: ServiceContext
    clock: Clock = field(default_factory=SystemClock)
    replay: Callable[[dt.date], Awaitable[Drift]] = replayed_day
    patience: Patience = field(default_factory=Patience)
    _tries: "Counter[dt.date]" = field(default_factory=Counter)
    _told: str = ""

    async def run(self) -> None:
        """For ever; what is away is waited for."""
        while True:
            worked = False
            try:
                worked = await self.step()
                self._settled()
            except UnreachableError as error:
                self.context.miss(DATABASE, str(error.advice))
                self._say_once("the database is waited for", str(error.advice))
            except (BrokerError, TimeoutError) as error:
                self._say_once("an alert waits for Kafka", str(error) or "Kafka does not answer")
            if not worked:
                await asyncio.sleep(LOOK_SECONDS)

    async def step(self) -> bool:
        """One look: check the oldest day that is due, tell what nobody was told; returns whether a day was checked."""
        stored = await drift_checks(self.engine, self.schedule.most + SHOWN_DAYS)
        bounds = {
            symbol: (milliseconds(first), milliseconds(last))
            for symbol, (first, last) in (await evaluation_bounds(self.engine)).items()
        }
        due = due_days(bounds, {check.day for check in stored}, self.clock.now_ms(), self.schedule)
        publish(stored, due)
        self.context.details["days_due"] = [str(day) for day in due]
        self.context.fulfil(DATABASE)
        await self._tell([check for check in stored if check.state != "agreed" and check.alerted_at is None])
        if not due or self._waits(bounds, due[0]):
            return False
        return await self._check(due[0])

    def _waits(self, bounds: Bounds, day: dt.date) -> bool:
        waiting = behind(bounds, day)
        over = self.patience.over((day, waiting), time.monotonic())
        self.context.details["waits_for"] = sorted(waiting)
        return bool(waiting) and not over

    async def _check(self, day: dt.date) -> bool:
        began = instant(self.clock.now_ms())
        get_logger(NAME).info("a day is compared with its replay", day=str(day))
        try:
            drift = await self.replay(day)
        except ReplayFailed as error:
            self._tries[day] += 1
            get_logger(NAME).warning("the replay failed", day=str(day), tries=self._tries[day], why=str(error))
            if self._tries[day] < MOST_TRIES:
                return False
            drift = not_comparable(f"the replay failed {MOST_TRIES} times, {error}", _span(day))
        check = result_of(day, drift, began, instant(self.clock.now_ms()))
        async with write_session(self.engine) as session:
            await write_drift_check(session, check)
        _log(check)
        return True

    async def _tell(self, checks: Sequence[DriftCheck]) -> None:
        """The alerts that Kafka does not have yet. A restart in between sends the same id again."""
        if not checks:
            return
        producer = EventProducer(self.bootstrap, service=NAME)
        await producer.start()
        try:
            for check in reversed(checks):
                raised = alert(check.state, check.reason, _span(check.day))
                if raised is not None:
                    await (await producer.send(ALERT, raised, key=raised.event_id, partition=0))
                await mark_alerted(self.engine, check.day, instant(self.clock.now_ms()))
        finally:
            await producer.stop()

    def _settled(self) -> None:
        self._told = ""

    def _say_once(self, event: str, why: str) -> None:
        if why != self._told:
            self._told = why
            get_logger(NAME).warning(event, why=why)


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


def publish(stored: Sequence[DriftCheck], due: Sequence[dt.date]) -> None:
    """The metrics, from what is stored: they are the same after a restart."""
    gauge("perpstream_drift_days_due").labels(NAME).set(len(due))
    counts = Counter(check.state for check in stored[:SHOWN_DAYS])
    for state in ("agreed", "differs", "not_comparable"):
        gauge("perpstream_drift_days").labels(state).set(counts[state])
    if not stored:
        return
    newest = stored[0]
    rows = gauge("perpstream_drift_rows")
    rows.labels("same").set(newest.rows_compared - newest.rows_differing)
    rows.labels("differing").set(newest.rows_differing)
    gauge("perpstream_drift_checked_until_seconds").labels(NAME).set((day_ms(newest.day) + DAY_MS) / 1000)


def _span(day: dt.date) -> tuple[int, int]:
    return day_ms(day), day_ms(day) + DAY_MS


def _log(check: DriftCheck) -> None:
    log = get_logger(NAME)
    say = {"agreed": log.info, "differs": log.error, "not_comparable": log.warning}[check.state]
    say(
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
        await run_until(context.stopping, NightlyCheck(engine, kafka.kafka_bootstrap, schedule, context).run())
    finally:
        await engine.dispose()


if __name__ == "__main__":
    run_service(NAME, main)

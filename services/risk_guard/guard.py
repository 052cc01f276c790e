"""The guard of one account: looks at everything it knows, remembers, acts, and says what it has found.

It needs the venue and nothing else. What others say comes in through `on_…`; what never comes is unknown and blocks entries.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from libs.contracts.commands import CommandIssued, answered
from libs.contracts.event import Event
from libs.contracts.market import FeedStatusChanged
from libs.contracts.trading import AlertRaised, ExecutorReported, LiveTradeChanged, RiskLevel, RuleMeasure
from libs.exchanges import MarkPrice
from libs.exchanges.flatten import Flattened
from libs.exchanges.user_events import StreamExpired, UserEvent
from libs.kit.logging import get_logger
from libs.kit.metrics import gauge
from libs.kit.tasks import run_all
from libs.trading.risk.inputs import GuardInputs, seconds
from libs.trading.risk.policy import Action, Decision, GuardState, decide
from services.risk_guard.hands import Hands
from services.risk_guard.memory import MOST_UNSENT, FlattenWish, Memory, waiting_alerts
from services.risk_guard.moment import Moment, moment
from services.risk_guard.obeying import TARGET, obey
from services.risk_guard.picture import Picture
from services.risk_guard.ports import GuardParts
from services.risk_guard.readings import Readings
from services.risk_guard.telling import Severity, alert, heartbeat, level_alert, measures

LOOK_SECONDS = 0.5
LEAST_SECONDS = 0.02
"""Between two looks: a storm of events is one look."""
LEVELS: tuple[RiskLevel, ...] = ("normal", "warning", "circuit_break")
HEARTBEAT_MS = 1_000
BLIND_STOP_MS = 3_000
KEEP_MS = 5_000
"""What changes with every look is kept so often; a break, a command and a new trade at once."""


@dataclass(slots=True)
class Guard:
    """`memory`: what the keeper had. `run` works until cancelled, and leaves nothing behind that a crash would not leave."""

    parts: GuardParts
    memory: Memory
    picture: Picture = field(init=False)
    hands: Hands = field(init=False)
    readings: Readings = field(init=False)
    decision: Decision | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _dirty: bool = False
    _kept_at_ms: int = 0
    _told_at_ms: int = 0
    _told_allowed: bool | None = None
    _trouble: str = ""

    def __post_init__(self) -> None:
        self.picture = Picture(self.parts.limits, moment(self.parts.clock).at_ms)
        self.picture.restore(self.memory)
        self.hands = Hands(self.parts, self.picture, self._alert, self._look_again)
        self.readings = Readings(self.parts, self.picture, self.hands, self._news.set)

    async def run(self) -> None:
        """Guard until cancelled. Raises only for a defect."""
        self.parts.outlet.publish([*self.memory.alerts, *self.memory.answers])
        try:
            await run_all(self.readings.run(), self._look_for_ever())
        finally:
            await self.hands.stop()

    async def _look_for_ever(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), LOOK_SECONDS)
            self._news.clear()
            self.look()
            await asyncio.sleep(LEAST_SECONDS)

    def look(self) -> Decision:
        """One look: decide, remember, act, say."""
        now, before = moment(self.parts.clock), self.memory.state
        inputs = self.picture.inputs(now, before.counts_from_ms)
        verdicts = self.parts.limits.verdicts(inputs)
        decision = decide(before, inputs, self.parts.limits, verdicts)
        self.decision = decision
        self._remember(decision, now.now_ms)
        changed = _essence(before) != _essence(decision.state)
        if changed and (raised := level_alert(self.parts.account, before, decision.state, decision)) is not None:
            self._tell(raised)
        if changed or (self._dirty and now.at_ms - self._kept_at_ms >= KEEP_MS):
            self._keep()
        # A break that cannot be kept is acted on all the same.
        self.hands.carry_out([*decision.actions, *self._blind_stops(now)])
        self._carry_out_wishes()
        self._say(inputs, decision, (measures(verdicts, self.parts.limits), changed), now.at_ms)
        return decision

    def on_user_open(self) -> None:
        self.picture.is_told = True
        self._look_again()

    def on_user_events(self, events: Sequence[UserEvent]) -> None:
        known = [one for one in events if not isinstance(one, StreamExpired)]
        self.readings.ask_for(self.picture.told(known, self._at_ms()))
        self._news.set()

    def on_marks(self, marks: Iterable[MarkPrice]) -> None:
        """The venue's mark prices, as they come."""
        self.picture.positions.marks.heard(marks, moment(self.parts.clock))
        if self.picture.is_open():
            self._news.set()

    def on_user_close(self, reason: str) -> None:
        self.picture.is_told = False
        get_logger("guard").warning("the user stream is closed", reason=reason)
        self._look_again()

    def on_executor(self, report: ExecutorReported) -> None:
        """The executor's heartbeat."""
        if report.account == self.parts.account:
            self.picture.trades.reported(report, moment(self.parts.clock))

    def on_trade(self, trade: LiveTradeChanged, place: tuple[str, int] | None = None) -> None:
        """A trade has changed; `place`: the topic's name and generation, and the offset of the next record."""
        if trade.account == self.parts.account:
            self.picture.trades.changed(trade)
            self._dirty = True
        self._read_up_to(place)

    def on_feed(self, report: FeedStatusChanged) -> None:
        """A market feed has told how it is."""
        self.picture.market.fed(report, moment(self.parts.clock))

    def on_engine(self) -> None:
        """The signal engine has evaluated something."""
        self.picture.market.engine_heard(moment(self.parts.clock))

    def on_command(self, event: CommandIssued, place: tuple[str, int] | None = None) -> None:
        """A command. Its nonce is kept before it is obeyed; where that fails it is not obeyed."""
        self._read_up_to(place)
        if event.account != self.parts.account or event.target != TARGET:
            return
        now_ms, before = self.parts.clock.now_ms(), self.memory
        obeyed = obey(before, event, self.parts.keys, (self.parts.wall or self.parts.clock).now_ms())
        self.memory = obeyed.memory
        result, accepted = obeyed.result, obeyed.accepted
        if accepted and not self._keep():
            self.memory, accepted = before, False
            result = f"it cannot be kept that this was obeyed, so it was not: {self._trouble}"
        self._give_up([one for one in before.wishes if one not in self.memory.wishes], event)
        if not accepted:
            self._alert("warning", f"the command {event.command} of {event.issued_by[:32]} was refused", str(result))
        if result is not None:
            self._tell(answered(event, result, now_ms, accepted=accepted, details=obeyed.details))
        self._keep()
        self._told_at_ms = 0
        self.look()

    def _give_up(self, wishes: Sequence[FlattenWish], by: CommandIssued) -> None:
        """Flattens that another command has ended; whoever has asked for one hears of it."""
        wanted = {one.symbol for one in self.memory.wishes}
        for wish in wishes:
            # Another flatten of the same symbol goes on with the run that there is.
            is_over = wish.symbol not in wanted
            if is_over:
                self.hands.give_up(wish.symbol)
            what = "given up" if is_over else "gone on with under a later command"
            words = f"{what}: {by.issued_by} has told the guard to {by.command}"
            self._tell(answered(wish.command, words, self.parts.clock.now_ms(), accepted=not is_over))

    def on_unreadable_command(self, why: str, place: tuple[str, int] | None = None) -> None:
        """A record that is no command."""
        self._read_up_to(place)
        self._alert("warning", "a command cannot be read", why)

    def on_sent(self, event: Event) -> None:
        """The outlet has handed it over for good."""
        alerts = tuple(one for one in self.memory.alerts if one.event_id != event.event_id)
        answers = tuple(one for one in self.memory.answers if one.event_id != event.event_id)
        if (alerts, answers) != (self.memory.alerts, self.memory.answers):
            self.memory = msgspec.structs.replace(self.memory, alerts=alerts, answers=answers)
            self._dirty = True

    def blind(self) -> str | None:
        """Why the account cannot be seen; None while it can."""
        asked_at_ms = self.picture.positions.asked_at_ms
        if asked_at_ms is None:
            return "positions were not read yet"
        age_ms = self._at_ms() - asked_at_ms
        return f"positions were read {seconds(age_ms)} ago" if age_ms > self.parts.limits.stale_ms else None

    async def tell_kept(self, event: AlertRaised) -> None:
        """Tell what somebody else has found, once it is kept that it has to be told. Raises `OSError` where it cannot be."""
        self._tell(event)
        if not self._keep():
            raise OSError(self._trouble)

    def _blind_stops(self, now: Moment) -> list[Action]:
        """Where no list of stops can be had, one is placed for what nobody has seen protected: if there is one already, the venue
        says so and nothing changes."""
        why = "it is not known whether it has a stop"
        found = self.picture.unproven(now, BLIND_STOP_MS)
        return [Action("place_stop", f"{symbol} {side}: {why}", symbol, side) for symbol, side in found]

    def _remember(self, decision: Decision, now_ms: int) -> None:
        picture, locks = self.picture, self.memory.locks
        names = set(picture.positions.first_seen)
        if picture.positions.asked_at_ms is not None:
            picture.trades.forget(names, decision.state.counts_from_ms, moment(self.parts.clock))
        self.memory = msgspec.structs.replace(
            self.memory,
            state=decision.state,
            baselines=picture.money.baselines,
            locks={symbol: until for symbol, until in locks.items() if until > now_ms},
            first_seen=dict(picture.positions.first_seen),
            held=dict(picture.trades.held),
            stands_at=dict(picture.trades.stands_at),
            ended=dict(picture.trades.ended),
            entered=dict(picture.trades.entered),
        )
        self._dirty = True

    def _carry_out_wishes(self) -> None:
        for wish in self.memory.wishes:
            if not self.hands.is_running(wish.symbol):
                why = f"{wish.command.issued_by} has told the guard to"
                why += f": {wish.command.reason}" if wish.command.reason else ""
                self.hands.flatten(wish.symbol, None, why, lambda done, wish=wish: self._wish_ran(wish, done))  # type: ignore[misc]

    def _wish_ran(self, wish: FlattenWish, done: Flattened) -> None:
        """Answer the run that has done it; one that has not is followed by another. A wish that was given up has its answer."""
        if wish not in self.memory.wishes:
            return
        wishes = tuple(one for one in self.memory.wishes if one != wish) if done.flat else self.memory.wishes
        self.memory = msgspec.structs.replace(self.memory, wishes=wishes)
        closed = {f"{symbol}:{side}": str(quantity) for (symbol, side), quantity in done.closed.items()}
        if done.flat:
            words = f"flat after {done.took_ms} ms; {len(closed)} closed"
            words += "" if wish.symbol else "; entries stay paused until a resume"
            self._tell(answered(wish.command, words, self.parts.clock.now_ms(), accepted=True, details=closed))
        self._keep()

    def _say(
        self, inputs: GuardInputs, decision: Decision, seen: tuple[tuple[RuleMeasure, ...], bool], at_ms: int
    ) -> None:
        measured, changed = seen
        also = [f"what the guard knows cannot be kept: {self._trouble}"] if self._trouble else []
        closing = [wish.symbol or "everything" for wish in self.memory.wishes] + self.hands.closing()
        also += [f"{name} is being flattened" for name in dict.fromkeys(closing)]
        record = heartbeat(self.memory, decision, (inputs, measured), also)
        changed = changed or record.entries_allowed != self._told_allowed
        if not changed and at_ms - self._told_at_ms < HEARTBEAT_MS:
            return
        self._told_at_ms, self._told_allowed = at_ms, record.entries_allowed
        gauge("perpstream_guard_level").labels(record.account).set(LEVELS.index(record.level))
        gauge("perpstream_guard_entries_allowed").labels(record.account).set(record.entries_allowed)
        self.parts.outlet.publish([record])

    def _keep(self) -> bool:
        """Whether it is kept. Where it cannot be, nothing may be entered, and everything that protects goes on."""
        self._kept_at_ms = self._at_ms()
        try:
            self.parts.keeper.save(self.memory)
        except OSError as error:
            if not self._trouble:
                get_logger("guard").error("what the guard knows cannot be kept", error=str(error))
            self._trouble = error.strerror or str(error)
            return False
        self._dirty, self._trouble = False, ""
        return True

    def _read_up_to(self, place: tuple[str, int] | None) -> None:
        if place is not None:
            offsets = self.memory.offsets | {place[0]: place[1]}
            self.memory = msgspec.structs.replace(self.memory, offsets=offsets)
            self._dirty = True

    def _alert(self, severity: Severity, title: str, detail: str) -> None:
        get_logger("guard").warning(title, detail=detail, severity=severity)
        self._tell(alert(self.parts.account, severity, (title, detail), self.parts.clock.now_ms()))

    def _tell(self, event: Event) -> None:
        """What has to reach others even if the broker is away, or this process dies before it has it."""
        if isinstance(event, AlertRaised):
            self.memory = msgspec.structs.replace(self.memory, alerts=waiting_alerts((*self.memory.alerts, event)))
        else:
            answers = (*self.memory.answers, event)[-MOST_UNSENT:]
            self.memory = msgspec.structs.replace(self.memory, answers=answers)
        self._dirty = True
        self.parts.outlet.publish([event])

    def _look_again(self) -> None:
        self.readings.ask_at_once()
        self._news.set()

    def _at_ms(self) -> int:
        return moment(self.parts.clock).at_ms


def _essence(state: GuardState) -> GuardState:
    """What a person would call a change; times that go on with every look are none."""
    return msgspec.structs.replace(state, looked_ms=0, quiet_ms=0, counts_from_ms=0)

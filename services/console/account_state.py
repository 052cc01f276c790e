"""What guard and executor said last of an account, how old that is, and the picture of it."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.console import Group
from rich.table import Table
from rich.text import Text

from libs.contracts.codec import decode
from libs.contracts.event import Event
from libs.contracts.topics import EXECUTOR, RISK_STATE, Topic
from libs.contracts.trading import ExecutorReported, RiskStateChanged, RuleMeasure
from libs.kit.errors import BadMessage
from libs.streaming.records import LogReader, Record
from services.console.watch.words import clock, duration
from services.console.watch.words import said as words

FRESH_MS = 10_000
"""A heartbeat is said each second; after ten without one nobody opens anything."""
_STEP = 500
E = TypeVar("E", ExecutorReported, RiskStateChanged)
LEVELS = {"normal": "green", "warning": "yellow", "circuit_break": "red", "break": "red", "unknown": "magenta"}


@dataclass(frozen=True, slots=True)
class Heard(Generic[E]):
    """A heartbeat, and how long ago the broker had it, ms."""

    said: E
    age_ms: int

    @property
    def fresh(self) -> bool:
        return self.age_ms <= FRESH_MS


@dataclass(frozen=True, slots=True)
class AccountState:
    """The newest word of both on an account; None: none is known."""

    account: str
    guard: Heard[RiskStateChanged] | None
    executor: Heard[ExecutorReported] | None

    @property
    def heard(self) -> bool:
        """Whether both live."""
        return all(one is not None and one.fresh for one in (self.guard, self.executor))


async def account_state(bootstrap: str, account: str) -> AccountState:
    """Ask both topics; raises `UserError` when they cannot be read."""
    async with LogReader(bootstrap) as log:
        guard = await newest(log, RISK_STATE, RiskStateChanged, account)
        executor = await newest(log, EXECUTOR, ExecutorReported, account)
    return AccountState(account, guard, executor)


async def newest(log: LogReader, topic: Topic, kind: type[E], account: str) -> Heard[E] | None:
    """The last record on this account of a topic with one partition, looked for from its end."""
    end = await log.end(topic.name, 0)
    beginning = await log.beginning(topic.name, 0)
    while end > beginning:
        start = max(beginning, end - _STEP)
        found: Heard[E] | None = None
        async for record, event in _events(log, topic, start, end):
            if isinstance(event, kind) and event.account == account:
                found = Heard(event, max(0, time.time_ns() // 1_000_000 - record.timestamp_ms))
        if found is not None:
            return found
        end = start
    return None


async def _events(log: LogReader, topic: Topic, start: int, end: int) -> AsyncIterator[tuple[Record, Event]]:
    async for batch in log.range(topic.name, 0, start, end):
        for record in batch:
            try:
                yield record, decode(record.value, record.headers, topic.events)
            except BadMessage:
                continue


def state_screen(state: AccountState) -> Group:
    """For people: who allows what, and why not."""
    return Group(Text(f"account     {state.account}"), *_guard_lines(state.guard), *_executor_lines(state.executor))


def _guard_lines(heard: Heard[RiskStateChanged] | None) -> list[Text]:
    if heard is None:
        return [Text("risk guard  has never spoken: nothing is entered", style="red")]
    said = heard.said
    lines = [_line("risk guard", said.level.replace("_", " "), said.entries_allowed, heard.age_ms)]
    if said.level == "circuit_break":
        lines.append(Text(f"            break number {said.break_number}: `perpstream risk reset` ends it"))
    if said.paused:
        lines.append(Text("            paused: `perpstream risk resume` ends it"))
    lines += [Text(f"            {words(reason)}") for reason in said.reasons]
    lines += [
        Text(f"            {words(symbol)} is locked until {clock(until)}")
        for symbol, until in sorted(said.locks.items())
    ]
    return lines


def _executor_lines(heard: Heard[ExecutorReported] | None) -> list[Text]:
    if heard is None:
        return [Text("executor    has never spoken: nothing is entered", style="red")]
    said = heard.said
    lines = [_line("executor", said.mode, said.entries_allowed, heard.age_ms)]
    if said.mode != "paper":
        clean = "clean" if said.reconciliation_clean else "with differences"
        lines.append(
            Text(
                f"            lease {said.epoch}, reconciled {clock(said.reconciled_at_ms or None)} {clean}, "
                f"configuration {said.config_version}, {len(said.held)} held, {said.orders_last_minute} orders a minute"
            )
        )
    return [*lines, *(Text(f"            {words(reason)}") for reason in said.reasons)]


def _line(who: str, what: str, allowed: bool, age_ms: int) -> Text:
    line = Text(f"{who:<12}")
    line.append(what, style=LEVELS.get(what.replace(" ", "_"), ""))
    line.append(", entries allowed" if allowed else ", no entries", style="" if allowed else "yellow")
    if age_ms > FRESH_MS:
        line.append(f", SILENT for {duration(age_ms / 1000)}: nothing is entered", style="red")
    return line


def measures_table(measures: "tuple[RuleMeasure, ...]") -> Table:
    """What each rule sees now, gravest first; its sentence has the numbers with their unit."""
    table = Table(box=None, pad_edge=False)
    table.add_column("rule", no_wrap=True)
    table.add_column("level", no_wrap=True)
    table.add_column("what it sees", overflow="fold")
    for one in measures:
        table.add_row(one.rule, Text(one.level, style=LEVELS[one.level]), Text(words(one.sentence)))
    return table

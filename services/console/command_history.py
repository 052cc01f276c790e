"""What people told executor and risk guard, what became of it, and what both raised alarm about: from the topics."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

import msgspec
from rich.table import Table
from rich.text import Text

from libs.contracts.codec import decode
from libs.contracts.commands import CommandAnswered, CommandIssued
from libs.contracts.event import Event
from libs.contracts.topics import ALERT, COMMAND, COMMAND_RESULT, Topic
from libs.contracts.trading import AlertRaised
from libs.kit.errors import BadMessage
from libs.streaming.records import LogReader
from services.console.watch.words import clock, said

_MOST = 20_000
"""Records of each topic that are looked through, from the newest on."""
_SOURCES = ("risk_guard", "executor")


class HistoryLine(msgspec.Struct, frozen=True):
    """A command with its answer, or an alarm. `outcome` "unanswered": nobody has said what became of it. `who`: the name that
    the command bears, which for a refused one may be anybody's."""

    time_ms: int
    kind: Literal["command", "alarm"]
    who: str
    what: str
    outcome: Literal["accepted", "refused", "unanswered", "info", "warning", "critical"]
    words: str
    reason: str = ""
    arguments: dict[str, str] = {}


async def history(bootstrap: str, account: str, last: int) -> list[HistoryLine]:
    """The last lines of an account; raises `UserError` when a topic cannot be read. Alarms name no account: all are shown."""
    async with LogReader(bootstrap) as log:
        commands = [event async for event in _newest(log, COMMAND) if isinstance(event, CommandIssued)]
        answers = [event async for event in _newest(log, COMMAND_RESULT) if isinstance(event, CommandAnswered)]
        alarms = [event async for event in _newest(log, ALERT) if isinstance(event, AlertRaised)]
    by_command: dict[str, CommandAnswered] = {}
    for answer in answers:  # of a command that was said again, the first answer is that of the one that counted
        by_command.setdefault(answer.command_id, answer)
    lines = [_of_command(one, by_command.get(one.event_id)) for one in commands if one.account == account]
    lines += [_of_alarm(one) for one in alarms if one.source in _SOURCES]
    return sorted(lines, key=lambda line: line.time_ms)[-last:]


def _of_command(command: CommandIssued, answer: CommandAnswered | None) -> HistoryLine:
    outcome: Literal["accepted", "refused", "unanswered"] = "unanswered"
    if answer is not None:
        outcome = "accepted" if answer.accepted else "refused"
    return HistoryLine(
        command.issued_at_ms,
        "command",
        command.issued_by,
        command.command,
        outcome,
        answer.result if answer else f"{command.target} has said nothing",
        command.reason,
        command.arguments,
    )


def _of_alarm(alarm: AlertRaised) -> HistoryLine:
    return HistoryLine(alarm.event_time_ms, "alarm", alarm.source, alarm.title, alarm.severity, alarm.detail)


async def _newest(log: LogReader, topic: Topic) -> AsyncIterator[Event]:
    end = await log.end(topic.name, 0)
    async for batch in log.range(topic.name, 0, end - _MOST, end):
        for record in batch:
            try:
                yield decode(record.value, record.headers, topic.events)
            except BadMessage:
                continue
        await asyncio.sleep(0)


def history_table(lines: list[HistoryLine]) -> Table | Text:
    """For people."""
    if not lines:
        return Text("nobody has said anything yet, and nothing was wrong")
    table = Table(box=None, pad_edge=False)
    table.add_column("when", no_wrap=True)
    table.add_column("who")
    table.add_column("what", overflow="fold")  # a value that is cut off is no record of what was said
    table.add_column("outcome", no_wrap=True)
    table.add_column("in words", overflow="fold")
    styles = {"refused": "yellow", "unanswered": "magenta", "warning": "yellow", "critical": "red"}
    for line in lines:
        words = f"{line.words} ({line.reason})" if line.reason else line.words
        outcome = Text(line.outcome, style=styles.get(line.outcome, ""))
        # Anybody can have written these, an unsigned command too.
        table.add_row(clock(line.time_ms), *map(Text, map(said, (line.who, _what(line)))), outcome, Text(said(words)))
    return table


def _what(line: HistoryLine) -> str:
    arguments: dict[str, Any] = line.arguments
    return " ".join([line.what, *(f"{name}={value}" for name, value in arguments.items())])

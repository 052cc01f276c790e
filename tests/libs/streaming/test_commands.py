"""Commands over a real broker: said once, heard once, answered; and what a person is told where nobody answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from libs.contracts.commands import CommandIssued, command_id, signed_bytes
from libs.contracts.topics import COMMAND, COMMAND_RESULT
from libs.kit.clock import SystemClock
from libs.kit.errors import BadMessage, UnreachableError
from libs.kit.keys import PersonalKey, TrustedFolder, new_key
from libs.streaming.admin import ensure_topics
from libs.streaming.commands import CommandDesk, CommandNotAnswered, CommandReader, CommandRecord
from libs.trading.commands import Flatten, Pause
from tests.libs.streaming.broker import put, until
from tests.support.obeying_service import ObeyingService


def said(key: PersonalKey, nonce: str, **other: Any) -> CommandIssued:
    """A signed command of now."""
    now_ms = SystemClock().now_ms()
    facts = {"account": "main", "target": "risk_guard", "command": "pause", "arguments": {}, "reason": ""}
    own = {"event_id": command_id(key.name, nonce), "nonce": nonce, "issued_by": key.name, "signature": ""}
    times = {"event_time_ms": now_ms, "issued_at_ms": now_ms, "expires_at_ms": now_ms + 60_000}
    unsigned: dict[str, Any] = {**facts, **own, **times, **other}
    return CommandIssued(**unsigned | {"signature": key.sign(signed_bytes(CommandIssued(**unsigned)))})


@asynccontextmanager
async def obeying(bootstrap: str, folder: Path) -> AsyncIterator[tuple[ObeyingService, PersonalKey, CommandDesk]]:
    await ensure_topics(bootstrap, 1)
    key, trusted = new_key(folder / "mine", "ada"), TrustedFolder(folder / "trusted")
    trusted.trust(key.public)
    service = ObeyingService(bootstrap, trusted, "risk_guard")
    running = asyncio.create_task(service.run())
    try:
        await service.listening.wait()
        yield service, key, CommandDesk(bootstrap, COMMAND, COMMAND_RESULT)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_command_goes_there_and_its_answer_comes_back(empty_kafka: str, tmp_path: Path) -> None:
    async with obeying(empty_kafka, tmp_path) as (service, key, desk):
        command = said(key, "a" * 32, command="flatten", arguments={"symbol": "all"})
        answer = await desk.issue_and_hear(command, 20.0)
        assert (answer.accepted, answer.result, answer.command_id) == (True, "flatten is done", command.event_id)
        assert service.obeyed == [Flatten(None)]


async def test_a_replayed_and_a_foreign_command_change_nothing_and_are_answered(
    empty_kafka: str, tmp_path: Path
) -> None:
    async with obeying(empty_kafka, tmp_path) as (service, key, desk):
        command = said(key, "a" * 32)
        assert (await desk.issue_and_hear(command, 20.0)).accepted
        replayed = await desk.issue_and_hear(command, 20.0)
        assert (replayed.accepted, replayed.result) == (False, "pause of ada was obeyed before")
        eve = new_key(tmp_path / "mine", "eve")
        foreign = await desk.issue_and_hear(said(eve, "b" * 32), 20.0)
        assert (foreign.accepted, "no key of 'eve' is trusted" in foreign.result) == (False, True)
        assert service.obeyed == [Pause()]


async def test_what_nobody_can_read_stops_nobody(empty_kafka: str, tmp_path: Path) -> None:
    async with obeying(empty_kafka, tmp_path) as (service, key, desk):
        await put(empty_kafka, COMMAND.name, [b"{", b""])
        assert (await desk.issue_and_hear(said(key, "a" * 32), 20.0)).accepted
        assert (service.bad, service.obeyed) == (2, [Pause()])


async def test_without_an_answer_the_person_is_told_what_is_not_known(empty_kafka: str, tmp_path: Path) -> None:
    async with obeying(empty_kafka, tmp_path) as (_, key, desk):
        command = said(key, "a" * 32, target="executor", command="sync")
        with pytest.raises(CommandNotAnswered, match=r"executor has not answered sync within 0.3 s.*may be obeyed"):
            await desk.issue_and_hear(command, 0.3)
    with pytest.raises(UnreachableError, match="Kafka does not answer"):
        await CommandDesk("127.0.0.1:1", COMMAND, COMMAND_RESULT).issue(said(key, "b" * 32))


async def test_a_reader_goes_on_where_it_was_and_says_where_each_record_stands(
    empty_kafka: str, tmp_path: Path
) -> None:
    await ensure_topics(empty_kafka, 1)
    key, desk = new_key(tmp_path, "ada"), CommandDesk(empty_kafka, COMMAND, COMMAND_RESULT)
    assert [await desk.issue(said(key, letter * 32)) for letter in "abc"] == [0, 1, 2]
    await put(empty_kafka, COMMAND.name, [b"{"])
    found: list[CommandRecord] = []
    async with CommandReader(empty_kafka, COMMAND, first=1) as reader:

        async def all_read() -> bool:
            found.extend(await reader.poll())
            return len(found) == 3

        await until(all_read)
    assert [(one.partition, one.offset) for one in found] == [(0, 1), (0, 2), (0, 3)]
    assert [getattr(one.said, "nonce", None) for one in found] == ["b" * 32, "c" * 32, None]
    assert isinstance(found[2].said, BadMessage)

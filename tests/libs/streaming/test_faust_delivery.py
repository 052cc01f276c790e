"""What faust-streaming 0.15.3 does with a record whose processing fails, pinned; and what our rule makes of it.

The first three tests state facts about Faust that our design answers to: when an upgrade changes one of them, a test fails and
the decision (docs/decisions/0010-streaming.md) can be looked at again.
"""

import asyncio
import signal
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.libs.streaming.broker import Child, child, new_topic, put, until, whole

pytestmark = pytest.mark.integration
BARE = "tests.libs.streaming.faust_child"
OURS = "tests.libs.streaming.worker_child"
TWELVE = [str(number).encode() for number in range(12)]


async def committed(bootstrap: str, group: str) -> int:
    """The group's committed offset of partition 0; -1 for none."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
        return next((state.offset for place, state in offsets.items() if place.partition == 0), -1)
    finally:
        await admin.close()


async def committed_up_to(bootstrap: str, group: str, offset: int) -> None:
    async def reached() -> bool:
        return await committed(bootstrap, group) >= offset

    await until(reached)


async def seen_after_restart(module: str, arguments: list[str], folder: Path) -> list[str]:
    """What a second run delivers, up to a last record appended before it."""
    bootstrap, topic = arguments[1:3]
    await put(bootstrap, topic, [b"99"])
    with child(module, arguments, folder) as second:
        await second.wrote("99")
        return second.lines()


async def test_faust_an_exception_in_an_agent_loses_the_record(kafka_bootstrap: str, tmp_path: Path) -> None:
    topic = await new_topic(kafka_bootstrap)
    await put(kafka_bootstrap, topic, TWELVE)
    arguments = ["raise", kafka_bootstrap, topic, f"g{topic}"]
    with child(BARE, arguments, tmp_path) as first:
        await first.wrote("11")
        await committed_up_to(kafka_bootstrap, f"g{topic}", 12)
        assert first.process.poll() is None, "the worker itself goes on as if nothing had happened"
        assert first.lines() == [str(n) for n in range(12) if n != 5]
    assert await seen_after_restart(BARE, arguments, tmp_path) == ["99"]


async def test_faust_an_undecodable_value_is_committed_away(kafka_bootstrap: str, tmp_path: Path) -> None:
    topic = await new_topic(kafka_bootstrap)
    await put(kafka_bootstrap, topic, [b"{not json" if value == b"7" else b"1" + value for value in TWELVE])
    arguments = ["undecodable", kafka_bootstrap, topic, f"g{topic}"]
    with child(BARE, arguments, tmp_path) as first:
        await first.wrote("111")
        await committed_up_to(kafka_bootstrap, f"g{topic}", 12)
        assert first.lines() == [f"1{n}" for n in range(12) if n != 7]
    assert await seen_after_restart(BARE, arguments, tmp_path) == ["99"]


async def test_faust_a_hard_exit_inside_the_agent_commits_nothing_of_the_batch(
    kafka_bootstrap: str, tmp_path: Path
) -> None:
    topic = await new_topic(kafka_bootstrap)
    await put(kafka_bootstrap, topic, TWELVE)
    arguments = ["take_exit", kafka_bootstrap, topic, f"g{topic}"]
    with child(BARE, arguments, tmp_path) as first:
        assert await first.ended() == 70
        assert first.lines() == ["0", "1", "2", "3"]
    assert await committed(kafka_bootstrap, f"g{topic}") <= 4
    with child(BARE, arguments, tmp_path) as second:
        assert await second.ended() == 70
        assert second.lines() in ([], ["0", "1", "2", "3"]), (
            "the batch with the poison came again, and nothing after it"
        )


async def test_our_rule_a_bad_message_is_dead_lettered_and_work_goes_on(kafka_bootstrap: str, tmp_path: Path) -> None:
    topic = await new_topic(kafka_bootstrap, dead_letters=True)
    await put(kafka_bootstrap, topic, TWELVE)
    arguments = ["bad", kafka_bootstrap, topic, f"g{topic}"]
    with child(OURS, arguments, tmp_path) as first:
        await first.wrote("11")
        await committed_up_to(kafka_bootstrap, f"g{topic}", 12)
        assert first.lines() == ["assigned:0", *(str(n) for n in range(12) if n != 5)]
        first.send_signal(signal.SIGTERM)
        assert await first.ended(10) == 0
    [letter] = await whole(kafka_bootstrap, f"{topic}.dlq")
    assert (letter.value, letter.headers["dlq-offset"], letter.headers["dlq-reason"]) == (b"5", b"5", b"poison")
    assert await seen_after_restart(OURS, arguments, tmp_path) == ["assigned:0", "99"]


async def test_our_rule_any_other_error_ends_the_process_and_the_record_comes_again(
    kafka_bootstrap: str, tmp_path: Path
) -> None:
    topic = await new_topic(kafka_bootstrap)
    await put(kafka_bootstrap, topic, TWELVE)
    arguments = ["defect", kafka_bootstrap, topic, f"g{topic}"]
    for _ in range(2):
        with child(OURS, arguments, tmp_path) as run:
            assert await run.ended() == 70
            assert "ZeroDivisionError" in run.log.read_text()
            assert run.lines()[-1] in ("4", "assigned:0")
        assert await committed(kafka_bootstrap, f"g{topic}") <= 5
    arguments[0] = "mended"
    with child(OURS, arguments, tmp_path) as mended:
        await mended.wrote("11")
        assert mended.lines()[-7:] == ["5", "6", "7", "8", "9", "10", "11"]


async def test_our_rule_a_failed_recovery_ends_the_process_before_any_record(
    kafka_bootstrap: str, tmp_path: Path
) -> None:
    topic = await new_topic(kafka_bootstrap)
    await put(kafka_bootstrap, topic, TWELVE)
    with child(OURS, ["no_recovery", kafka_bootstrap, topic, f"g{topic}"], tmp_path) as run:
        assert await run.ended() == 70
        assert "no snapshot" in run.log.read_text()
        assert run.lines() == []
    assert await committed(kafka_bootstrap, f"g{topic}") <= 0


async def test_our_rule_try_again_repeats_the_record_in_place(kafka_bootstrap: str, tmp_path: Path) -> None:
    topic = await new_topic(kafka_bootstrap)
    await put(kafka_bootstrap, topic, TWELVE)
    with child(OURS, ["again", kafka_bootstrap, topic, f"g{topic}"], tmp_path) as run:
        await run.wrote("11")
        assert run.lines() == ["assigned:0", *map(str, range(12))]


async def test_a_stop_finishes_the_record_in_hand_and_loses_none(kafka_bootstrap: str, tmp_path: Path) -> None:
    topic = await new_topic(kafka_bootstrap)
    await put(kafka_bootstrap, topic, TWELVE)
    arguments = ["slow", kafka_bootstrap, topic, f"g{topic}"]
    with child(OURS, arguments, tmp_path) as first:
        await first.wrote("begin:3")
        first.send_signal(signal.SIGTERM)
        assert await first.ended(10) == 0
        assert first.lines()[-1] == "3", "the record in hand was finished, and none begun after it"
    assert await committed(kafka_bootstrap, f"g{topic}") == 4
    arguments[0] = "mended"
    with child(OURS, arguments, tmp_path) as second:
        await second.wrote("11")
        assert second.lines() == ["assigned:0", *map(str, range(4, 12))]


async def test_a_killed_worker_loses_nothing_and_a_second_one_shares_the_partitions(
    kafka_bootstrap: str, tmp_path: Path
) -> None:
    topic = await new_topic(kafka_bootstrap, 2)
    arguments = ["shared", kafka_bootstrap, topic, f"g{topic}"]
    with child(OURS, arguments, tmp_path) as first:
        await first.wrote("assigned:0,1")
        with child(OURS, arguments, tmp_path) as second:
            await asyncio.gather(one_of(first), one_of(second))
            assert "revoked:0,1" in first.lines()
            for partition in (0, 1):
                await put(kafka_bootstrap, topic, [b"%d-%d" % (partition, n) for n in range(50)], partition)
            await until(lambda: _together(first, second, 100))
        await put(kafka_bootstrap, topic, [b"0-last"], 0)
        await put(kafka_bootstrap, topic, [b"1-last"], 1)
        await first.wrote("0-last")
        await first.wrote("1-last")


async def one_of(process: Child) -> None:
    async def has_one() -> bool:
        return process.lines()[-1:] in (["assigned:0"], ["assigned:1"])

    await until(has_one)


async def _together(first: Child, second: Child, count: int) -> bool:
    return len({line for line in first.lines() + second.lines() if "-" in line}) == count

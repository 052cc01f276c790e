"""From the timeline to the tables: everything once, nothing silently dropped, bad records put aside."""

import time
from decimal import Decimal

import msgspec

from libs.contracts.codec import Encoded, decode, encode
from libs.contracts.control import StrategyActivated
from libs.contracts.market import Hole
from libs.contracts.plausible import LATEST_MS
from libs.contracts.signals import SignalScored
from libs.contracts.topics import ALERT, SIGNAL_SCORED, TIMELINE
from libs.contracts.trading import AlertRaised
from libs.streaming.tail import read_tail
from tests.services.recorder.conftest import Installation
from tests.services.recorder.timelines import (
    START_MS,
    TimelineWriter,
    feed_report,
    frame,
    garbled,
    liquidation,
    mark_price,
    replace_event,
    with_hole,
)


async def test_every_fact_finds_its_table(installation: Installation) -> None:
    owner = TimelineWriter()
    records = [owner.fence(), owner.copy(frame(1, 50, symbols=("BTCUSDT", "ETHUSDT")))]
    records += [owner.copy(liquidation(7), 12_345), owner.copy(liquidation(8)), owner.copy(mark_price(1))]
    records.append(owner.copy(with_hole(frame(61, 40, symbols=("BTCUSDT", "ETHUSDT"), sequence=1), 51, 60)))
    await installation.append(records)
    await installation.record_all()
    counts = await installation.all("SELECT symbol, count(*), sum(quantity) FROM agg_trades GROUP BY 1 ORDER BY 1")
    ids = [*range(1, 51), *range(61, 101)]
    total = Decimal(sum(1 + number % 101 for number in ids)).scaleb(-3)
    assert counts == [("BTCUSDT", 90, total), ("ETHUSDT", 90, total)]
    assert await installation.all("SELECT symbol, missing_count FROM agg_trades_meta ORDER BY 1") == [
        ("BTCUSDT", 10),
        ("ETHUSDT", 0),
    ]
    assert await installation.all(
        "SELECT quantity, (extract(epoch FROM effective_at) * 1000)::int8 FROM liquidation_events ORDER BY 1"
    ) == [(Decimal("0.007"), 12_345), (Decimal("0.008"), START_MS)]
    assert await installation.all(
        "SELECT window_ms, event_count, quantity, notional FROM liquidation_agg ORDER BY 1"
    ) == [(window_ms, 2, Decimal("0.015"), Decimal("900.001500")) for window_ms in (60_000, 300_000, 3_600_000)]
    assert await installation.all("SELECT mark_price, funding_rate FROM rate_snapshots") == [
        (Decimal("60001.12345678"), Decimal("0.00010000"))
    ]


async def test_a_second_run_into_the_same_database_adds_nothing(installation: Installation) -> None:
    owner = TimelineWriter()
    frames = [owner.copy(frame(1 + 20 * n, 20, sequence=n)) for n in range(30)]
    await installation.append([owner.fence(), *frames, owner.copy(liquidation(1)), owner.copy(mark_price(1))])
    tables = ("agg_trades", "agg_trades_meta", "liquidation_events", "liquidation_agg", "rate_snapshots")
    await installation.record_all("first", max_records=7)
    before = [await installation.all(f"SELECT t.* FROM {table} t ORDER BY t::text") for table in tables]
    await installation.record_all("second", max_records=500)
    assert [await installation.all(f"SELECT t.* FROM {table} t ORDER BY t::text") for table in tables] == before
    assert await installation.all("SELECT count(*) FROM agg_trades_conflicts") == [(0,)]


async def test_zombies_and_duplicates_leave_no_trace(installation: Installation) -> None:
    """A dead owner's copies, a doubled copy and a dead producer's frames are dropped, as every reader drops them."""
    first, second = TimelineWriter(epoch=1), TimelineWriter(epoch=2)
    doubled = first.copy(frame(1, 10))
    zombie = first.copy(frame(900, 10, sequence=9))
    second.offsets = {"market.aggtrade.v1": 0}
    records = [first.fence(), doubled, doubled, second.fence(), zombie]
    records += [second.copy(frame(11, 10, sequence=1, epoch=2)), second.copy(frame(500, 5, sequence=7, epoch=1))]
    await installation.append(records)
    await installation.record_all()
    assert await installation.all("SELECT min(agg_id), max(agg_id), count(*) FROM agg_trades") == [(1, 20, 20)]


async def test_a_dropped_duplicate_with_other_content_is_kept_aside_and_reported(installation: Installation) -> None:
    owner = TimelineWriter()
    other = frame(5, 10, sequence=1)
    prices = bytearray(other.price)
    prices[0] ^= 1
    await installation.append(
        [owner.fence(), owner.copy(frame(1, 10)), owner.copy(replace_event(other, price=bytes(prices)))]
    )
    await installation.record_all()
    assert await installation.all("SELECT agg_id FROM agg_trades_conflicts") == [(5,)]
    assert await installation.all("SELECT max(agg_id), count(*) FROM agg_trades") == [(14, 14)]
    alerts = await read_tail(installation.bootstrap, ALERT.name, 0, 10)
    assert [b"BTCUSDT:5" in (alert.value or b"") for alert in alerts] == [True]


async def test_bad_records_go_to_the_dead_letters_and_the_stream_goes_on(installation: Installation) -> None:
    owner = TimelineWriter()
    bad_length = replace_event(frame(21, 10, sequence=2), price=b"12345678")
    bad_time = replace_event(frame(31, 1, sequence=3), trade_time=LATEST_MS.to_bytes(8, "little"))
    hole = Hole("BTCUSDT", 31, 40, 0, 0, "no table takes a \0")
    unstorable = replace_event(frame(41, 1, sequence=4), holes=(hole,))
    records = [owner.fence(), owner.copy(frame(1, 10)), garbled(owner.copy(frame(11, 10, sequence=1)))]
    records += [
        owner.copy(bad_length),
        owner.copy(bad_time),
        owner.copy(unstorable),
        owner.copy(frame(51, 10, sequence=5)),
    ]
    records.append(Encoded(b"{}", [("schema", b"no_such/1")]))
    records.append(owner.copy(frame(61, 10, sequence=6)))
    await installation.append(records)
    await installation.record_all()
    assert await installation.all("SELECT count(*), max(agg_id) FROM agg_trades") == [(30, 70)]
    letters = await read_tail(installation.bootstrap, TIMELINE.dead_letter, 0, 20)
    assert sorted(letter.headers["dlq-reason"].decode() for letter in letters) == [
        "bad_frame",
        "bad_frame",
        "implausible",
        "undecodable",
        "unknown_schema",
    ]
    assert {letter.value for letter in letters} >= {b"{}", records[2].value, records[5].value}


async def test_a_feed_report_of_the_far_future_is_put_aside(installation: Installation) -> None:
    """It would be the newest for ever: what is true would never replace it."""
    owner, later = TimelineWriter(), LATEST_MS - 1
    reports = [feed_report(later), feed_report(START_MS), feed_report(START_MS + 1, symbol="ETHUSDT", since_ms=later)]
    await installation.append([owner.fence(), *map(owner.copy, reports)])
    await installation.record_all()
    assert await installation.all("SELECT symbol, (extract(epoch FROM event_time) * 1000)::int8 FROM feed_health") == [
        ("BTCUSDT", START_MS)
    ]
    assert await installation.all("SELECT count(*) FROM feed_status") == [(1,)]
    letters = await read_tail(installation.bootstrap, TIMELINE.dead_letter, 0, 20)
    assert [letter.headers["dlq-reason"] for letter in letters] == [b"implausible"] * 2


async def test_a_venue_whose_time_is_accelerated_may_be_ahead_of_ours(installation: Installation) -> None:
    ahead, owner = time.time_ns() // 1_000_000 + 86_400_000, TimelineWriter()
    await installation.append([owner.fence(), owner.copy(feed_report(ahead))])
    await installation.record_all(real_time=False)
    assert await installation.all("SELECT count(*) FROM feed_health") == [(1,)]


async def test_a_frame_that_the_engine_counts_is_recorded_whatever_its_age(installation: Installation) -> None:
    """One bound for all readers: a trade stamped 1973 is odd, and each of them takes it."""
    owner, old = TimelineWriter(), replace_event(frame(11, 1, sequence=1), trade_time=(10**11).to_bytes(8, "little"))
    await installation.append([owner.fence(), owner.copy(frame(1, 10)), owner.copy(old)])
    await installation.record_all()
    assert await installation.all("SELECT agg_id FROM agg_trades WHERE trade_time < '1974-01-01'") == [(11,)]
    assert await installation.all("SELECT row_count FROM agg_trades_meta") == [(11,)]
    assert await read_tail(installation.bootstrap, TIMELINE.dead_letter, 0, 5) == []


async def test_records_without_a_table_move_the_position(installation: Installation) -> None:
    owner = TimelineWriter()
    activation = encode(
        StrategyActivated(
            event_id="a",
            event_time_ms=0,
            strategy="v51",
            version=1,
            enabled=True,
            definition=msgspec.Raw(b"{}"),
            activated_by="test",
        )
    )
    headers = [("source", b"control.strategy.v1:0:0"), ("owner-epoch", b"1"), ("effective-at", b"-1")]
    await installation.append([owner.fence(), Encoded(activation.value, [*activation.headers, *headers])])
    await installation.record_all()
    assert await read_tail(installation.bootstrap, TIMELINE.dead_letter, 0, 5) == []


def scored(number: int, sentence: str = "CVD rises in all windows") -> SignalScored:
    return SignalScored(
        event_id=f"signal-{number}",
        event_time_ms=START_MS + number * 15_000,
        strategy="v51",
        version=1,
        symbol="BTCUSDT",
        score=81.5,
        threshold=75.0,
        direction="long",
        state="emitted",
        reason=None,
        sentence=sentence,
        price=Decimal("60000.10"),
        atr=Decimal("120.5"),
        take_profit_1=Decimal("60100"),
        take_profit_2=None,
        stop_loss=Decimal("59900"),
        hold_until_ms=START_MS + 4_200_000,
        contributions=(),
        inputs={"cvd_5m": Decimal("12.5")},
        coverage={"5m": 1.0},
    )


async def test_the_same_signal_again_is_nothing_and_other_content_is_an_alert(installation: Installation) -> None:
    await installation.append([encode(scored(1)), encode(scored(2)), encode(scored(1))], SIGNAL_SCORED.name)
    await installation.record_all()
    assert await read_tail(installation.bootstrap, ALERT.name, 0, 5) == []
    await installation.append([encode(scored(2, "something else")), encode(scored(3))], SIGNAL_SCORED.name)
    await installation.record_all()
    assert await installation.all("SELECT event_id, sentence FROM signal_logs ORDER BY 1") == [
        (f"signal-{number}", "CVD rises in all windows") for number in (1, 2, 3)
    ]
    assert (
        await installation.all("SELECT content -> 'inputs' ->> 'cvd_5m', hold_until IS NOT NULL FROM signal_logs")
        == [("12.5", True)] * 3
    )
    alerts = await read_tail(installation.bootstrap, ALERT.name, 0, 5)
    assert [b"signal-2" in (alert.value or b"") for alert in alerts] == [True]
    assert await installation.all("SELECT event_id, content ->> 'sentence', log_place FROM signal_conflicts") == [
        ("signal-2", "something else", f"{SIGNAL_SCORED.name}:0:3")
    ]


async def test_a_signal_of_other_features_is_critical_and_one_of_other_slow_inputs_a_warning(
    installation: Installation,
) -> None:
    slow, other = scored(1), scored(2)
    slow = msgspec.structs.replace(slow, inputs={**slow.inputs, "mark_price": Decimal(1)})
    await installation.append([encode(scored(1)), encode(scored(2))], SIGNAL_SCORED.name)
    await installation.append(
        [encode(slow), encode(msgspec.structs.replace(other, price=Decimal(1)))], SIGNAL_SCORED.name
    )
    await installation.record_all()
    alerts = [decode(alert.value, alert.headers) for alert in await read_tail(installation.bootstrap, ALERT.name, 0, 5)]
    assert [(a.severity, "signal-2" in a.detail) for a in alerts if isinstance(a, AlertRaised)] == [
        ("critical", True),
        ("warning", False),
    ]


async def test_a_poisoned_signal_is_put_aside_alone(installation: Installation) -> None:
    """NUL is a legal JSON character and no legal text in PostgreSQL; a field that we do not know can have one."""
    good, bad = encode(scored(1)), encode(scored(2, "a\0b"))
    unknown = encode(scored(5))
    unknown = unknown._replace(value=unknown.value[:-1] + rb',"of_a_later_version":"a\u0000b"}')
    await installation.append([good, bad, unknown, encode(scored(3)), garbled(encode(scored(4)))], SIGNAL_SCORED.name)
    await installation.record_all()
    assert await installation.all("SELECT event_id FROM signal_logs ORDER BY 1") == [("signal-1",), ("signal-3",)]
    letters = await read_tail(installation.bootstrap, SIGNAL_SCORED.dead_letter, 0, 5)
    assert {letter.headers["dlq-reason"] for letter in letters} == {b"implausible", b"unstorable", b"undecodable"}

"""Gaps as they are told: found once, and ended as what really became of their ids; completeness from marks of ids."""

from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.market import NEVER_EXISTED, FeedStatusChanged, IdMark, OpenGap, TradeGapChanged
from libs.kit.durations import DAY_MS, HOUR_MS
from services.trade_ingest.assembler import Resume
from services.trade_ingest.completeness import Completeness
from services.trade_ingest.continuity import Missing, Told
from services.trade_ingest.gaps import GapBook
from services.trade_ingest.health import FeedHealth, FeedMemory
from tests.services.trade_ingest.test_assembler import START, SYMBOL, assembler, trade

MINUTE_MS = 60_000


def test_a_gap_is_found_once_and_filled_when_its_last_id_is_passed() -> None:
    book = GapBook("BTCUSDT")
    [found] = book.found(5, 9, (100, 200), "disconnected", 210)
    assert (found.outcome, found.first_missing_id, found.last_missing_id) == ("open", 5, 9)
    assert book.found(7, 9, (100, 200), "disconnected", 220) == [], "a part of it is no other gap"
    assert book.advanced(9, whole=False, now_ms=230) == []
    [filled] = book.advanced(10, whole=False, now_ms=240)
    assert (filled.outcome, filled.closed_ms, filled.unfilled, book.filled) == ("filled", 240, 0, 1)
    assert (filled.from_ms, filled.to_ms, filled.found_ms) == (100, 200, 210)


def test_how_a_gap_ends_is_what_became_of_its_ids() -> None:
    for holes, outcome, unfilled in (
        ([Missing(5, 9, NEVER_EXISTED)], "never_existed", 5),
        ([Missing(5, 9, "rate_limited")], "lost", 5),
        ([Missing(5, 6, NEVER_EXISTED), Missing(7, 9, "venue_unavailable")], "lost", 5),
        ([Missing(2, 6, "rate_limited")], "filled", 2),
    ):
        book = GapBook("BTCUSDT")
        book.found(5, 9, (100, 200), "silent", 210)
        assert [book.missing(hole) for hole in holes] == [True] * len(holes)
        [ended] = book.advanced(12, whole=True, now_ms=300)
        assert (ended.outcome, ended.unfilled) == (outcome, unfilled)


def test_what_rest_brings_page_by_page_after_a_loss_is_one_gap() -> None:
    book = GapBook("BTCUSDT")
    book.brought(1, 1000, (10, 20), "restart", 100)
    assert book.advanced(1001, whole=False, now_ms=110) == []
    book.brought(1001, 1400, (20, 30), "restart", 120)
    [ended] = book.advanced(1401, whole=True, now_ms=130)
    assert (ended.first_missing_id, ended.last_missing_id, ended.outcome) == (1, 1400, "filled")
    assert (ended.from_ms, ended.to_ms, ended.found_ms) == (10, 30, 100)
    assert book.open == []


def test_a_successor_closes_what_its_predecessor_left_open() -> None:
    memory = FeedMemory()
    book = GapBook("BTCUSDT")
    report = FeedStatusChanged(
        event_id="r", event_time_ms=1, feed="trades", symbol="BTCUSDT", state="live", detail="", last_event_time_ms=1
    )
    memory.absorb(report)
    for change in (*book.found(5, 9, (1, 2), "silent", 3), *book.found(12, 14, (3, 4), "silent", 5)):
        memory.absorb(change)
    memory.absorb(book.advanced(10, whole=False, now_ms=6)[0])
    assert memory.open_gaps == [OpenGap(12, 14, 3, 4, "silent", 5)]
    assert memory.gaps_filled == 1
    heir = GapBook("BTCUSDT", list(memory.open_gaps), 1)
    [more] = heir.found(13, 40, (4, 9), "restart", 45)
    assert (more.first_missing_id, more.last_missing_id) == (15, 40), "beyond what is known to be missing"
    closed = heir.advanced(99, whole=True, now_ms=50)
    assert [(gap.first_missing_id, gap.outcome) for gap in closed] == [(12, "filled"), (15, "filled")]


def test_a_successor_knows_what_of_an_open_gap_was_published_as_missing() -> None:
    core, memory = assembler(Resume(0, START, START)), FeedMemory()
    sent = list[FeedStatusChanged | TradeGapChanged]()
    health = FeedHealth(core, {}, lambda: START, lambda event, _: sent.append(event))  # type: ignore[arg-type]

    def publish_holes() -> None:
        core.cut_holes()
        health.declared([hole for frame in core.drain() for hole in frame.holes])

    core.take([trade(1, START + 1)], 1)
    health.advanced(SYMBOL)
    health.say(SYMBOL, "live")
    core.take([trade(5, START + 5), trade(9, START + 9)], 2)
    health.note_gaps(SYMBOL)
    core.fill(SYMBOL, [trade(3, START + 3)], Told(False, 0), 3)
    publish_holes()
    for event in sent:
        memory.absorb(event)
    assert [(gap.first_missing_id, gap.unfilled, gap.lost) for gap in memory.open_gaps] == [(2, 1, 0), (6, 0, 0)]
    heir = GapBook(SYMBOL, list(memory.open_gaps))
    heir.missing(Missing(4, 4, "slow"))
    [again] = heir.advanced(5, whole=False, now_ms=9)
    assert (again.outcome, again.unfilled) == ("filled", 2), "one by the predecessor, one by itself"


@given(
    st.lists(st.tuples(st.integers(1, 3 * HOUR_MS), st.integers(0, 1000), st.integers(0, 50)), min_size=1, max_size=300)
)
def test_completeness_is_that_of_a_span_between_the_one_asked_for_and_an_hour_more(
    steps: list[tuple[int, int, int]],
) -> None:
    kept, history, now, next_id, missing = Completeness(), list[IdMark](), 0, 1, 0
    for passed, ids, lost in steps:
        now, next_id, missing = now + passed, next_id + ids, missing + min(ids, lost)
        history.append(IdMark(now, next_id, missing))
        kept.mark(history[-1])
    newest = history[-1]
    allowed = set()
    for since in history:
        ids = newest.next_id - since.next_id
        long_enough = newest.time_ms - since.time_ms >= HOUR_MS or since == history[0]
        if long_enough:
            allowed.add(None if ids <= 0 else (ids - (newest.missing - since.missing)) * 1_000_000 // ids)
    assert kept.ppm(HOUR_MS, newest) in allowed
    heir = Completeness(kept.marks(newest))
    assert heir.ppm(DAY_MS, newest) == kept.ppm(DAY_MS, newest), "a successor knows as much"
    assert len(kept.marks(newest)) <= 15 + 27


def test_a_steady_hour_is_measured_over_that_hour() -> None:
    kept = Completeness()
    for minute in range(1, 200):
        kept.mark(IdMark(minute * MINUTE_MS, minute * 10, 5 if minute > 60 else 0))
    assert kept.ppm(HOUR_MS, IdMark(200 * MINUTE_MS, 2000, 5)) == 1_000_000, "what is older than that does not count"
    assert kept.ppm(DAY_MS, IdMark(200 * MINUTE_MS, 2000, 5)) == 997_487


def test_what_rest_told_ahead_of_a_stream_that_was_then_lost_is_a_gap() -> None:
    core = assembler(Resume(0, START, START))
    sent = list[FeedStatusChanged | TradeGapChanged]()
    health = FeedHealth(core, {}, lambda: START, lambda event, _: sent.append(event))  # type: ignore[arg-type]
    tracker = core.feeds[SYMBOL].tracker
    core.take([trade(1, START + 1), trade(2, START + 2)], 1)
    health.advanced(SYMBOL)
    core.fill(SYMBOL, [trade(n, START + n) for n in (3, 4, 5, 6)], Told(True, 0), 2)
    core.take([trade(3, START + 3)], 3)
    health.doubt(SYMBOL, "disconnected")
    health.interrupted(SYMBOL)
    core.interrupt([SYMBOL])
    core.take([trade(7, START + 7)], 4)
    health.advanced(SYMBOL)
    [gap] = [event for event in sent if isinstance(event, TradeGapChanged)]
    assert (gap.first_missing_id, gap.last_missing_id, gap.outcome) == (4, 6, "filled")
    assert tracker.told == 7


def test_a_clock_that_is_put_back_a_little_forgets_nothing() -> None:
    kept = Completeness([IdMark(1_000_000, 100, 0)])
    kept.mark(IdMark(999_000, 200, 50))
    assert kept.ppm(DAY_MS, IdMark(1_001_000, 300, 50)) == 750_000
    kept.mark(IdMark(0, 300, 50))
    assert kept.ppm(DAY_MS, IdMark(1_001_000, 300, 50)) == 750_000


def test_an_id_that_never_was_true_ends_its_gap_when_the_symbol_is_whole() -> None:
    book = GapBook("BTCUSDT")
    book.found(11, 89_999, (1, 2), "not_sent", 3)
    [ended] = book.advanced(13, whole=True, now_ms=4)
    assert (ended.outcome, ended.last_missing_id, ended.unfilled) == ("filled", 89_999, 89_987)
    [next_one] = book.found(13, 19, (5, 6), "not_sent", 7)
    assert (next_one.first_missing_id, next_one.last_missing_id) == (13, 19)


def test_memory_keeps_gaps_that_a_report_had_no_room_for() -> None:
    memory, book = FeedMemory(), GapBook("BTCUSDT")
    for number in range(3):
        for change in book.found(10 * number, 10 * number + 5, (1, 2), "silent", 3):
            memory.absorb(change)
    memory.absorb(FeedStatusChanged(
        event_id="r", event_time_ms=1, feed="trades", symbol="BTCUSDT", state="stale", detail="", last_event_time_ms=1,
        gaps_open=3, open_gaps=tuple(book.open[:2]),
    ))  # fmt: skip
    assert memory.open_gaps == book.open


def test_what_rest_told_ahead_and_the_stream_then_jumped_over_is_a_gap() -> None:
    core = assembler(Resume(0, START, START))
    sent = list[FeedStatusChanged | TradeGapChanged]()
    health = FeedHealth(core, {}, lambda: START, lambda event, _: sent.append(event))  # type: ignore[arg-type]
    core.take([trade(1, START + 1)], 1)
    health.advanced(SYMBOL)
    core.fill(SYMBOL, [trade(n, START + n) for n in (2, 3, 4, 5)], Told(True, 0), 2)
    core.take([trade(n, START + n) for n in (2, 5, 6)], 3)
    health.tick()
    [gap] = [event for event in sent if isinstance(event, TradeGapChanged)]
    assert (gap.first_missing_id, gap.last_missing_id, gap.outcome) == (3, 4, "filled")


def test_a_report_that_counts_gaps_and_lists_none_forgets_none() -> None:
    memory, book = FeedMemory(), GapBook("BTCUSDT")
    [found] = book.found(5, 9, (1, 2), "silent", 3)
    memory.absorb(found)
    memory.absorb(FeedStatusChanged(
        event_id="r", event_time_ms=1, feed="trades", symbol="BTCUSDT", state="stale", detail="", last_event_time_ms=1,
        gaps_open=1,
    ))  # fmt: skip
    assert memory.open_gaps == book.open


def test_a_hole_that_is_published_before_its_gap_is_known_counts_in_it() -> None:
    book = GapBook("BTCUSDT")
    book.missing(Missing(7, 8, NEVER_EXISTED))
    assert book.advanced(10, told=4, whole=True, now_ms=20) == []
    assert book.brought(5, 9, (1, 2), "not_sent", 30)
    [ended] = book.advanced(10, told=9, whole=True, now_ms=40)
    assert (ended.outcome, ended.unfilled) == ("filled", 2)
    book.found(11, 12, (3, 4), "not_sent", 50)
    book.advanced(13, told=12, whole=True, now_ms=60)
    assert book._holes == [], "what nobody can ask about any more is forgotten"

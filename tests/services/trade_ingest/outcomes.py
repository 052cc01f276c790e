"""What must happen at the reader's side of each fault: checks of an `Aftermath`, named by the outcome."""

from collections.abc import Callable

from tests.services.trade_ingest.aftermath import LONGEST_TO_TELL_MS, Aftermath

Then = Callable[[Aftermath], None]
Ids = set[tuple[str, int]]


def within(ids: Ids, among: Ids, what: str) -> None:
    """Fails with the first ids that are not there."""
    lacking = sorted(ids - among)
    assert not lacking, f"{what}: {len(lacking)} ids, first {lacking[:5]}"


def filled(kind: str) -> Then:
    """What the stream did not bring came by REST."""

    def check(after: Aftermath) -> None:
        within(after.ids(kind), after.published, "not published")

    return check


def filled_gaps(kind: str) -> Then:
    """Each of them was found missing, also what REST had brought before it could be missed, and each gap was filled."""

    def check(after: Aftermath) -> None:
        filled(kind)(after)
        within(after.ids(kind), after.in_gaps("filled"), "in no gap")
        within(after.in_gaps("filled"), after.ids(kind), "in a gap without a reason")
        assert {gap.outcome for gap in after.gaps} == {"filled"}

    return check


def replaced_with_a_gap(kind: str) -> Then:
    """What one connection did not bring before another was in its place stands in a gap."""

    def check(after: Aftermath) -> None:
        [fault] = after.faults
        replaced_ms = min(one["venue_ms"] for one in after.met("connected") if one["venue_ms"] > fault["begin_ms"])
        before = {
            (symbol, row.agg_id)
            for symbol, rows in after.rows.items()
            for row in rows
            if row.time_ms < replaced_ms - LONGEST_TO_TELL_MS
        }
        missed = after.ids(kind) & before
        assert missed, "replaced before anything was missed"
        within(missed, after.in_gaps("filled"), "in no gap")
        within(after.in_gaps("filled"), after.ids(kind), "in a gap without a reason")

    return check


def unreadable(kind: str) -> Then:
    """Each spoilt message is counted, and its trade came by REST."""

    def check(after: Aftermath) -> None:
        filled_gaps(kind)(after)
        spoilt = sum(one["count"] for one in after.met(kind))
        assert after.sum_of("perpstream_records_dropped_total", reason="malformed") == spoilt

    return check


def nothing_happens(kind: str) -> Then:
    """Read like any other message."""

    def check(after: Aftermath) -> None:
        filled(kind)(after)
        assert after.sum_of("perpstream_records_dropped_total") == 0
        assert after.sum_of("perpstream_reconnects_total") == 0

    return check


def only_these_are_late(kind: str) -> Then:
    """What comes behind its watermark is late, counted, and none of it is lost."""

    def check(after: Aftermath) -> None:
        within(after.late, after.ids(kind), "late without a reason")
        within(after.ids(kind), after.published, "not published")

    return check


def exactly_these_are_late(kind: str) -> Then:
    """The count of late trades equals the ledger."""

    def check(after: Aftermath) -> None:
        assert after.late == after.ids(kind)

    return check


def told_right_by_rest(kind: str) -> Then:
    """A time that cannot be is not believed: REST is asked, and nothing is late."""

    def check(after: Aftermath) -> None:
        filled(kind)(after)
        assert after.sum_of("perpstream_records_dropped_total", reason="not_believed") > 0

    return check


def late_only_while_wrong(after: Aftermath) -> None:
    """A clock that is ahead proves too much, so trades are late until the venue's time has passed that; nothing is lost."""
    [fault] = after.faults
    within(after.ids("clock_skew"), after.published, "not published")
    times = [row.time_ms for rows in after.rows.values() for row in rows if row.late]
    by_ms = fault["fault"]["by_ms"]
    assert not times or (by_ms > 0 and fault["begin_ms"] - 1000 <= min(times))
    assert not times or max(times) <= fault["end_ms"] + by_ms


def reconnected(kind: str) -> Then:
    """A fresh connection, and what was traded meanwhile by REST."""

    def check(after: Aftermath) -> None:
        cut = max(one["seq"] for one in after.met(kind))
        assert [one for one in after.met("connected") if one["seq"] > cut]

    return check


def reconnected_with_a_gap(kind: str) -> Then:
    """No connection can have brought what was traded while the venue refused connections: one gap of each symbol, filled."""

    def check(after: Aftermath) -> None:
        reconnected(kind)(after)
        within(after.unreachable(), after.in_gaps("filled") & after.published, "in no filled gap")
        assert {symbol for symbol, _ in after.unreachable()} == set(after.rows)
        assert sorted(gap.symbol for gap in after.gaps) == sorted(after.rows), "one gap of each symbol"

    return check


def halted(after: Aftermath) -> None:
    """Nobody trades one symbol while the others go on, and its ids go on behind it."""
    [fault] = after.faults
    [begins, ends] = after.met("halt")
    resumed_ms = fault["end_ms"] - LONGEST_TO_TELL_MS
    span = range(fault["begin_ms"], resumed_ms)
    inside = {symbol for symbol, rows in after.rows.items() for row in rows if row.time_ms in span}
    assert inside == set(after.rows) - {begins["symbol"]}
    rows = {row.agg_id: row for row in after.rows[begins["symbol"]]}
    assert rows[ends["detail"]["last_id"] + 1].time_ms >= resumed_ms


def trading_goes_on(after: Aftermath) -> None:
    """exchangeInfo's word alone stops nothing."""
    [fault] = after.faults
    span = range(fault["begin_ms"], fault["end_ms"])
    assert {symbol for symbol, rows in after.rows.items() for row in rows if row.time_ms in span} == set(after.rows)


def ended_for_good(after: Aftermath) -> None:
    """The last trade of a delisted symbol is the last row; the service and the others go on."""
    [fault] = after.faults
    [entry] = after.met("delisting")
    assert not after.restarted
    assert not [row for row in after.rows[entry["symbol"]] if row.agg_id > entry["detail"]["last_id"]]
    others = set(after.rows) - {entry["symbol"]}
    assert all(after.rows[symbol][-1].time_ms > fault["begin_ms"] + 1000 for symbol in others)


def finer_prices(after: Aftermath) -> None:
    """Frames state the new scale; a process that cannot go on with the old one says so in one line and is started again."""
    [begins] = [one for one in after.met("tick_size") if one["detail"]["what"] == "begins"]
    rows = after.rows[begins["symbol"]]
    assert rows[0].price_decimals == begins["detail"]["was"]["price_decimals"]
    assert rows[-1].price_decimals == begins["detail"]["is"]["price_decimals"]
    assert any(row.price % begins["detail"]["was"]["tick"] for row in rows)
    if after.restarted:
        assert "start trade_ingest again, so that it reads exchangeInfo anew" in after.log
        assert "Traceback" not in after.log


def untouched(kind: str) -> Then:
    """Not this feed's business."""

    def check(after: Aftermath) -> None:
        assert after.met(kind)
        assert after.sum_of("perpstream_reconnects_total") == 0

    return check


def asked_until_filled(kind: str) -> Then:
    """REST refuses or lies; the gap is filled after a back-off, or a hole names the ids. Nothing else is missing."""

    def check(after: Aftermath) -> None:
        assert after.met(kind)
        dropped = after.ids("drop")
        assert after.gaps
        within(after.in_gaps("filled") | after.in_gaps("lost"), dropped, "in a gap without a reason")
        within(after.missing, after.in_gaps("filled") | after.in_gaps("lost"), "in a hole and in no gap")
        within(dropped, after.published | after.missing, "neither published nor in a hole")
        within(after.missing, dropped, "in a hole without a reason")

    return check

"""The running minutes: what they add up to, and which of them say that trades are missing."""

from libs.contracts.market import AggTradeFrame, SymbolSlice
from services.gateway.stream_bars import MINUTE_MS, Bars
from services.gateway.stream_items import MinuteBar
from tests.services.recorder.timelines import START_MS, frame, replace_event, with_hole

_FIRST_OF_NEXT = 10_000
"""`frame` has ten trades a millisecond, and begins a second before the next minute."""


def _partial(bars: list[MinuteBar]) -> list[tuple[int, bool]]:
    """By minute from the first one, whether each says that it is partial."""
    return [((bar.open_time_ms - START_MS // MINUTE_MS * MINUTE_MS) // MINUTE_MS, bar.partial) for bar in bars]


def _begun() -> Bars:
    """One that has heard the end of the first minute and the beginning of the second, which is whole."""
    bars = Bars()
    assert _partial(bars.take(frame(_FIRST_OF_NEXT - 20, 40))) == [(0, True), (1, False)]
    return bars


def test_the_first_minute_is_partial_and_the_next_is_whole_while_ids_follow() -> None:
    bars = _begun()
    (bar,) = bars.take(frame(_FIRST_OF_NEXT + 20, 10))
    assert (bar.partial, bar.agg_trades, bar.last_id) == (False, 30, _FIRST_OF_NEXT + 29)


def test_a_frame_that_was_heard_before_changes_nothing() -> None:
    bars = _begun()
    assert bars.take(frame(_FIRST_OF_NEXT, 20)) == []
    assert _partial(bars.take(frame(_FIRST_OF_NEXT + 10, 20))) == [(1, False)]


def test_a_minute_in_which_ids_are_missing_is_partial_for_good() -> None:
    bars = _begun()
    assert _partial(bars.take(frame(_FIRST_OF_NEXT + 21, 10))) == [(1, True)]
    assert _partial(bars.take(frame(_FIRST_OF_NEXT + 31, 10))) == [(1, True)]


def test_ids_that_are_missing_between_two_minutes_make_both_partial() -> None:
    bars = _begun()
    after = _FIRST_OF_NEXT + 600_000
    assert _partial(bars.take(frame(after + 20, 5))) == [(1, True), (2, True)]
    assert _partial(bars.take(frame(after + 25, 5))) == [(2, True)]
    assert _partial(bars.take(frame(after + 30, 600_000))) == [(2, True), (3, False)]


def _without_the_second(made: AggTradeFrame) -> AggTradeFrame:
    """Of three trades, the first and the last."""
    columns = ("agg_id", "price", "quantity", "first_trade_id", "last_trade_id", "trade_time")
    kept = {name: getattr(made, name)[:8] + getattr(made, name)[16:] for name in columns}
    (part,) = made.slices
    return replace_event(
        made,
        slices=(SymbolSlice(part.symbol, 2, 3, 2, part.first_id, part.last_id, part.watermark_ms),),
        symbol_index=made.symbol_index[:4],
        buyer_is_maker=made.buyer_is_maker[:1] + made.buyer_is_maker[2:],
        **kept,
    )


def test_ids_that_are_missing_within_a_frame_make_its_minute_partial() -> None:
    bars = _begun()
    assert _partial(bars.take(_without_the_second(frame(_FIRST_OF_NEXT + 20, 3)))) == [(1, True)]


def test_trades_that_are_lost_make_the_minute_partial_though_the_frame_says_so() -> None:
    bars = _begun()
    missing = with_hole(frame(_FIRST_OF_NEXT + 25, 5), _FIRST_OF_NEXT + 20, _FIRST_OF_NEXT + 24)
    assert _partial(bars.take(missing)) == [(1, True)]


def test_a_symbol_that_misses_none_stays_whole() -> None:
    bars = Bars()
    bars.take(frame(_FIRST_OF_NEXT - 5, 5, symbols=("BTCUSDT", "ETHUSDT")))
    bars.take(frame(_FIRST_OF_NEXT, 5, symbols=("BTCUSDT",)))
    found = bars.take(frame(_FIRST_OF_NEXT + 5, 5, symbols=("BTCUSDT", "ETHUSDT"), sequence=1))
    assert [(bar.symbol, bar.partial) for bar in found] == [("BTCUSDT", False), ("ETHUSDT", True)]

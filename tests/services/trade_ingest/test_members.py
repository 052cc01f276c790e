"""Symbols that come and go: what a removed one had is published, it goes on behind that, and the others never notice."""

from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.frames import FrameGate
from libs.contracts.market import AggTradeFrame
from libs.kit.metrics import REGISTRY
from services.trade_ingest.assembler import Assembler, Resume
from services.trade_ingest.continuity import UNKNOWN_ID, Continuity, Told
from services.trade_ingest.membership import Place
from services.trade_ingest.settings import ShardOf
from tests.fakes.instruments import instrument
from tests.services.trade_ingest.test_assembler import START, SYMBOL, assembler, trade
from tests.services.trade_ingest.test_missed import Stream

OTHER = "SOLUSDT"
STEPS = st.lists(
    st.tuples(st.sampled_from(["stream", "lose", "flush", "remove", "add"]), st.integers(1, 9)), max_size=60
)


class Reader:
    """What every reader of the topic knows of a symbol: its ids in order, and where they end."""

    def __init__(self) -> None:
        self.gate, self.ids, self.watermarks = FrameGate(), dict[str, list[int]](), dict[str, int]()

    def read(self, frames: list[AggTradeFrame]) -> None:
        for frame in frames:
            assert not frame.holes
            columns = self.gate.accept(frame)
            assert columns is not None
            for index, part in enumerate(frame.slices):
                rows = columns.select(columns.symbol_index == index)
                self.ids.setdefault(part.symbol, []).extend(int(agg_id) for agg_id in rows.agg_id)
                assert part.watermark_ms >= self.watermarks.get(part.symbol, -1), "a watermark fell"
                self.watermarks[part.symbol] = part.watermark_ms

    def resume(self, symbol: str) -> Resume:
        last_id = self.gate.last_ids.get(symbol, UNKNOWN_ID)
        return Resume(last_id, START + last_id, self.watermarks.get(symbol, -1))


def _mend(core: Assembler, symbol: str, newest: int) -> None:
    """As the filler does: ask REST until the symbol is whole."""
    tracker = core.feeds[symbol].tracker
    while tracker.state is not Continuity.LIVE:
        told = range(tracker.expected, newest + 1)
        core.fill(symbol, [trade(n, START + n, symbol) for n in told], Told(True, tracker.generation), 1)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_a_symbol_that_comes_and_goes_is_gapless_and_the_other_is_undisturbed(steps: list[tuple[str, int]]) -> None:
    core, reader, newest = assembler(Resume(0, START, START)), Reader(), {SYMBOL: 0, OTHER: 0}
    for step, count in [*steps, ("add", 1), ("stream", 3), ("flush", 1)]:
        if step == "flush":
            core.flush()
        elif step == "remove" and OTHER in core.feeds:
            core.remove(OTHER)
            reader.read(core.drain())
        elif step == "add" and OTHER not in core.feeds:
            known = reader.resume(OTHER)
            core.add(instrument(OTHER), Resume(0, START, START) if known.last_id == UNKNOWN_ID else known)
        elif step == "lose":
            newest[OTHER] += count
        elif step == "stream":
            for _ in range(count):
                for symbol in newest:
                    newest[symbol] += 1
                    core.take([trade(newest[symbol], START + newest[symbol], symbol)], 1)
                assert core.feeds[SYMBOL].tracker.expected == newest[SYMBOL] + 1, "the other symbol waits for nobody"
            if OTHER in core.feeds:
                _mend(core, OTHER, newest[OTHER])
    core.flush()
    reader.read(core.drain())
    for symbol, last in newest.items():
        assert reader.ids[symbol] == list(range(1, last + 1))


def test_what_a_removed_symbol_had_is_published_and_counted_from_0_again() -> None:
    core = assembler(symbols=(SYMBOL, OTHER))
    core.take([trade(1, START + 1), trade(1, START + 2, OTHER), trade(3, START + 3, OTHER)], 1)
    core.remove(OTHER)
    (frame,) = core.drain()
    assert {part.symbol: part.rows for part in frame.slices} == {SYMBOL: 1, OTHER: 1}
    assert core.newly_filling == []
    assert OTHER not in core.counts.published
    core.take([trade(2, START + 4, OTHER)], 1)
    core.flush()
    assert core.drain() == [], "its trades are nobody's"


def test_the_epoch_is_newer_than_what_stands_in_every_partition_of_the_shard() -> None:
    """A symbol may come to any of them, and frames of an older epoch than known are nobody's."""
    place, symbols = Place("", 4, ShardOf(1, 2)), ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT")
    ours = place.ours(symbols)
    assert set(place.owned(ours)) == set(place.owned(())) == {1, 3}
    assert sorted(symbol for members in place.owned(ours).values() for symbol in members) == sorted(ours)


async def test_no_figure_of_a_removed_symbol_is_left() -> None:
    figures = (
        *(("perpstream_completeness_ratio", {"symbol": SYMBOL, "span": span}) for span in ("1h", "24h")),
        ("perpstream_gaps_open", {"symbol": SYMBOL}),
        ("perpstream_watermark_age_seconds", {"symbol": SYMBOL}),
        ("perpstream_feed_age_seconds", {"symbol": SYMBOL, "feed": "trades"}),
    )
    stream = Stream()
    stream.feed.on_open()
    for ids in ((1, 2), (3, 4)):
        stream.tells(*ids)
        stream.ingest.say(SYMBOL, "live" if ids[0] > 1 else "stale")
    stream.ingest.report_metrics()
    assert all(REGISTRY.get_sample_value(*figure) is not None for figure in figures)
    stream.ingest.remove(SYMBOL)
    assert not any(REGISTRY.get_sample_value(*figure) is not None for figure in figures)

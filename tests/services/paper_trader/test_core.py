"""The accounts are a function of the log: of neither the order of partitions, nor the cuts of the reading, nor restarts."""

import random
from dataclasses import dataclass, field
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.contracts.market import AggTradeFrame
from libs.contracts.topics import AGGTRADE, FEEDSTATUS, INDICATOR, MARKPRICE
from libs.exchanges.feed_status import NO_LONGER_FOLLOWED
from libs.trading.costs import Costs
from libs.trading.portfolio import PortfolioRules
from libs.trading.simulation_state import ForeignState
from services.paper_trader.accounts import PaperTerms
from services.paper_trader.core import LEFT_BEHIND_MS, Move, PaperCore
from services.paper_trader.settlements import WAIT_MS
from services.paper_trader.state import VERSION, dump, load
from tests.services.frame_factory import Envelope, Row, make_frame
from tests.services.paper_trader.logs import BEGIN_MS, BY_MARK, STRATEGIES, PartitionLog, log_of, logs, settled
from tests.services.signal_engine.timelines import START_MS, TimelineFactory, feed_report, mark_price

TERMS = PaperTerms(PortfolioRules(max_positions=2, daily_loss_r=None, circuit_break_r=None, warning_r=None), Costs())
HOUR_MS, EIGHT_HOURS_MS = 3_600_000, 8 * 3_600_000


@cache
def written(*, by_mark: bool = False) -> list[PartitionLog]:
    return logs(1, strategies=BY_MARK if by_mark else STRATEGIES)


@dataclass
class Story:
    """All that a core said, by account."""

    outcomes: dict[str, list[bytes]] = field(default_factory=dict)
    refusals: dict[str, list[bytes]] = field(default_factory=dict)
    fills: dict[str, int] = field(default_factory=dict)
    curve: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    def add(self, move: Move | None) -> None:
        for each in move.accounts if move is not None else ():
            self.outcomes.setdefault(each.strategy, []).extend(map(msgspec.json.encode, each.outcomes))
            self.refusals.setdefault(each.strategy, []).extend(map(msgspec.json.encode, each.not_taken))
            self.curve.setdefault(each.strategy, []).extend(
                zip(each.equity.time_ms.tolist(), each.equity.equity.tolist(), strict=True)
            )


def read_at_once(logs_read: list[PartitionLog]) -> tuple[Story, PaperCore]:
    core, story = PaperCore.new(TERMS, [0, 1], BEGIN_MS), Story()
    for number, log in enumerate(logs_read):
        core.take_timeline(number, log.timeline)
        core.take_signals(number, log.signals)
        core.take_evaluations(number, log.evaluations)
    story.add(core.advance())
    return story, core


class Reading:
    """Reads the logs in pieces of any length and in any order, as far as the rule about evaluations allows."""

    def __init__(self, seed: int, logs_read: list[PartitionLog]) -> None:
        self.chance = random.Random(seed)
        self.logs = logs_read
        self.core, self.story = PaperCore.new(TERMS, [0, 1], BEGIN_MS), Story()

    def step(self) -> None:
        number = self.chance.randrange(2)
        part, log = self.core.partitions[number], self.logs[number]
        at, some = part.next_offsets, self.chance.choice((1, 7, 60, 400))
        what = self.chance.randrange(3)
        if what == 0:
            self.core.take_timeline(number, log.timeline[max(0, at[0] - 3) : at[0] + some])
        elif what == 1:
            self.core.take_signals(number, log.signals[at[1] : at[1] + some])
        else:
            coming = log.evaluations[at[2] : at[2] + some]
            self.core.take_signals(number, log.signals[at[1] :])
            self.core.take_evaluations(number, coming)
        if self.chance.random() < 0.4:
            self.story.add(self.core.advance())
        if self.chance.random() < 0.1:
            state = dump(self.core)
            self.core = load(state, TERMS)
            assert dump(self.core) == state

    def finish(self) -> Story:
        while any(
            part.next_offsets != [len(log.timeline), len(log.signals), len(log.evaluations)]
            for part, log in zip(self.core.partitions.values(), self.logs, strict=True)
        ):
            self.step()
        self.story.add(self.core.advance())
        return self.story


@pytest.mark.parametrize("by_mark", [False, True])
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1_000_000))
def test_cuts_orders_and_restarts_change_nothing(by_mark: bool, seed: int) -> None:
    story, core = read_at_once(written(by_mark=by_mark))
    reading = Reading(seed, written(by_mark=by_mark))
    other = reading.finish()
    assert {name: len(found) > 5 for name, found in story.outcomes.items()} == {"basis_fast": True, "basis_slow": True}
    assert (other.outcomes, other.refusals) == (story.outcomes, story.refusals)
    assert other.curve["basis_fast"][-20:] == story.curve["basis_fast"][-20:]
    assert dump(reading.core) == dump(core)


def test_a_signal_is_waited_for_until_its_evaluation_is_here() -> None:
    core, (first, second) = PaperCore.new(TERMS, [0, 1], BEGIN_MS), written()
    for number, log in enumerate((first, second)):
        core.take_timeline(number, log.timeline)
        core.take_signals(number, log.signals)
    assert core.advance() is None
    assert core.waits_for == "no evaluation of BTCUSDT yet"
    core.take_evaluations(0, first.evaluations)
    assert core.advance() is None
    core.take_evaluations(1, second.evaluations[:100])
    move = core.advance()
    assert move is not None
    newest = msgspec.json.decode(second.evaluations[99].value or b"")["event_time_ms"]
    assert move.until_ms == newest + 15_000
    assert core.waits_for.startswith("XRPUSDT is proven to")


def test_a_state_of_another_version_is_refused() -> None:
    data = dump(PaperCore.new(TERMS, [0], BEGIN_MS))
    fields = msgspec.msgpack.decode(data)
    fields[0] = VERSION + 1
    with pytest.raises(ForeignState, match=f"version {VERSION + 1}"):
        load(msgspec.msgpack.encode(fields), TERMS)
    with pytest.raises(ForeignState):
        load(data[:-1], TERMS)


def frame(number: int, at_ms: int, *symbols: str) -> AggTradeFrame:
    """One trade of each symbol at an instant, proven to the millisecond before it."""
    rows = [Row(symbol, number, 5_000_000, 1_000, at_ms, False) for symbol in symbols]
    return make_frame(Envelope(0, sequence=number), rows, dict.fromkeys(symbols, at_ms - 1))


def settlement_log(*, rate_at_ms: int | None) -> TimelineFactory:
    """A symbol's trades around the settlement at START + 8 h (START is a multiple of an hour), a mark price an hour before, and
    the rate in the log at an instant."""
    made = TimelineFactory()
    made.fence()
    due_ms = -(-START_MS // EIGHT_HOURS_MS) * EIGHT_HOURS_MS
    for number, at_ms in enumerate(range(due_ms - HOUR_MS, due_ms + WAIT_MS + 120_000, 30_000)):
        made.copy(AGGTRADE, frame(number, at_ms, "BTCUSDT"))
        if number == 0:
            estimate = msgspec.structs.replace(mark_price("BTCUSDT", at_ms, 50_000), funding_rate="0.0007")
            made.copy(MARKPRICE, msgspec.convert(msgspec.to_builtins(estimate), type(estimate), strict=False))
        if rate_at_ms is not None and at_ms == due_ms + rate_at_ms:
            made.copy(INDICATOR, settled("BTCUSDT", due_ms, "0.0001"))
    return made


def test_accounts_stop_at_a_settlement_until_its_rate_is_known() -> None:
    due_ms = -(-START_MS // EIGHT_HOURS_MS) * EIGHT_HOURS_MS
    core = PaperCore.new(TERMS, [0], START_MS)
    records = settlement_log(rate_at_ms=60_000).records
    part = core.partitions[0]
    until = []
    for record in records:
        core.take_timeline(0, [record])
        if "BTCUSDT" in part.funding and part.watermarks.of("BTCUSDT") >= due_ms:
            until.append(part.funding["BTCUSDT"].due_ms)
    assert until == [due_ms] * 2 + [due_ms + EIGHT_HOURS_MS] * (len(until) - 2)
    assert len(until) > 10
    assert part.funding["BTCUSDT"].rates[due_ms][0] == settled("BTCUSDT", due_ms, "0.0001").values["funding_rate"]


def test_a_rate_that_does_not_come_is_assumed_to_be_the_last_estimate() -> None:
    due_ms = -(-START_MS // EIGHT_HOURS_MS) * EIGHT_HOURS_MS
    core = PaperCore.new(TERMS, [0], START_MS)
    core.take_timeline(0, settlement_log(rate_at_ms=None).records)
    assert core.noticed.assumed == [("BTCUSDT", due_ms)]
    assert str(core.partitions[0].funding["BTCUSDT"].rates[due_ms][0]) == "0.0007"


def test_a_symbol_that_has_fallen_behind_is_not_waited_for() -> None:
    made = TimelineFactory()
    made.fence()
    made.copy(AGGTRADE, frame(0, START_MS, "BTCUSDT", "ETHUSDT"))
    made.copy(AGGTRADE, frame(1, START_MS + LEFT_BEHIND_MS, "BTCUSDT"))
    made.copy(FEEDSTATUS, feed_report("ETHUSDT", "down", START_MS, START_MS))
    core = PaperCore.new(TERMS, [0], START_MS)
    core.take_timeline(0, made.records)
    core.reached_end(0)
    assert set(core.proven()) == {"BTCUSDT", "ETHUSDT"}
    made.copy(AGGTRADE, frame(2, START_MS + LEFT_BEHIND_MS + 2, "BTCUSDT"))
    core.take_timeline(0, made.records)
    assert set(core.proven()) == {"BTCUSDT", "ETHUSDT"}
    assert core.in_doubt == [0]
    core.reached_end(0)
    assert set(core.proven()) == {"BTCUSDT"}


def removal_log() -> tuple[TimelineFactory, int, int]:
    """Two symbols around a settlement; the second one is removed a minute before it, and is back three minutes after it, and then
    its rate becomes known. Also how many records there are until it is gone, and until it is back."""
    made, due_ms, gone, back = TimelineFactory(), -(-START_MS // EIGHT_HOURS_MS) * EIGHT_HOURS_MS, 0, 0
    made.fence()
    for number, at_ms in enumerate(range(due_ms - 180_000, due_ms + 600_000, 5_000)):
        away = due_ms - 60_000 < at_ms < due_ms + 180_000
        made.copy(AGGTRADE, frame(number, at_ms, "BTCUSDT", *(() if away else ("ETHUSDT",))))
        if away and not gone:
            said = feed_report("ETHUSDT", "down", at_ms, at_ms)
            made.copy(FEEDSTATUS, msgspec.structs.replace(said, detail=NO_LONGER_FOLLOWED))
            gone = len(made.records)
        if at_ms == due_ms + 60_000:
            made.copy(INDICATOR, settled("BTCUSDT", due_ms + 3, "0.0001"))
        if at_ms == due_ms + 175_000:
            back = len(made.records)
        if at_ms == due_ms + 200_000:
            made.copy(INDICATOR, settled("ETHUSDT", due_ms + 3, "0.0002"))
    return made, gone, back


def test_a_symbol_that_was_removed_holds_nobody_and_goes_on_when_it_is_back() -> None:
    made, gone, back = removal_log()
    due_ms = -(-START_MS // EIGHT_HOURS_MS) * EIGHT_HOURS_MS
    core = PaperCore.new(TERMS, [0], due_ms - 120_000)
    core.take_evaluations(0, log_of(made).evaluations)
    core.take_timeline(0, made.records[: gone - 1])
    assert core.advance() is not None
    assert set(core.proven()) == {"BTCUSDT", "ETHUSDT"}
    core.take_timeline(0, made.records[gone - 1 : back])
    assert set(core.proven()) == {"BTCUSDT"}
    assert core.advance() is not None
    assert core.now_ms > due_ms + 150_000
    # Its settlement was passed with everybody else's.
    assert core.noticed.assumed == [("ETHUSDT", due_ms)]
    core = load(dump(core), TERMS)
    assert set(core.proven()) == {"BTCUSDT"}
    core.take_timeline(0, made.records[back:])
    assert set(core.proven()) == {"BTCUSDT", "ETHUSDT"}
    assert core.advance() is not None
    assert core.now_ms > due_ms + 570_000
    assert [str(rate) for rate, _ in core.partitions[0].funding["ETHUSDT"].rates.values()] == ["0"]


def test_a_partition_of_removed_symbols_is_waited_for_until_it_has_been_read_to_its_end() -> None:
    made = TimelineFactory()
    made.fence()
    made.copy(AGGTRADE, frame(0, START_MS, "ETHUSDT"))
    said = feed_report("ETHUSDT", "down", START_MS, START_MS)
    made.copy(FEEDSTATUS, msgspec.structs.replace(said, detail=NO_LONGER_FOLLOWED))
    other = TimelineFactory()
    other.fence()
    other.copy(AGGTRADE, frame(0, START_MS + LEFT_BEHIND_MS + 1, "BTCUSDT"))
    core = PaperCore.new(TERMS, [0, 1], START_MS)
    core.take_timeline(0, made.records)
    core.take_timeline(1, other.records)
    assert core.waits_for == "partitions [0] are being read"
    assert core.in_doubt == [0]
    core.reached_end(0)
    assert set(core.proven()) == {"BTCUSDT"}

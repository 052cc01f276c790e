"""All paper accounts as a pure function of the log: records of every partition in, what they did to each account out.

How the reading is cut into calls, and in which order partitions are read, changes nothing: accounts go on only to the time up to
which nothing can come from any partition any more (docs/decisions/0025-paper-trader.md).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from libs.contracts.signals import SignalScored
from libs.streaming.records import Record
from libs.trading.mark_prices import MarkTape
from libs.trading.market import FundingRates, TradeTape
from services.paper_trader.accounts import AccountMove, Accounts, PaperTerms, Slice
from services.paper_trader.partition import NOTHING_KNOWN, Noticed, Partition
from services.paper_trader.tapes import rescaled

LEFT_BEHIND_MS = 10 * 60_000
"""A symbol whose watermark is so far behind the newest of all is not waited for: it was removed, or its market stands."""


@dataclass(frozen=True, slots=True)
class Move:
    """What happened from one time of the market to another (ms), by account."""

    from_ms: int
    until_ms: int
    accounts: Sequence[AccountMove]


@dataclass(slots=True)
class PaperCore:
    """The state after the records taken so far. `now_ms`: where the accounts stand; `scales`: the decimals of each symbol that
    they trade in, None for one that they cannot trade; `at_end`: the partitions of which there is no more to read now."""

    accounts: Accounts
    partitions: dict[int, Partition]
    now_ms: int
    scales: dict[str, tuple[int, int] | None] = field(default_factory=dict)
    noticed: Noticed = field(default_factory=Noticed)
    at_end: set[int] = field(default_factory=set)

    @classmethod
    def new(cls, terms: PaperTerms, partitions: Iterable[int], start_ms: int) -> "PaperCore":
        """Accounts that begin at `start_ms`; what was before it is no concern of theirs."""
        return cls(Accounts(terms, start_ms), {number: Partition() for number in sorted(partitions)}, start_ms)

    def take_timeline(self, partition: int, records: Sequence[Record]) -> None:
        """The next records of a partition of the timeline."""
        part = self.partitions[partition]
        before = dict(part.watermarks.by_symbol)
        part.take_timeline(records, self.noticed)
        if part.watermarks.by_symbol != before:
            self.at_end.discard(partition)

    def take_signals(self, partition: int, records: Sequence[Record]) -> None:
        """The next scored signals of a partition."""
        self.partitions[partition].take_signals(records, self.noticed)

    def take_evaluations(self, partition: int, records: Sequence[Record]) -> None:
        """The next evaluations of a partition, once every signal that stood on its topic when they were read was taken."""
        self.partitions[partition].take_evaluations(records, self.noticed)

    def reached_end(self, partition: int) -> None:
        """The partition of the timeline has been read to its end: what it has not told of is not waited for for ever."""
        self.at_end.add(partition)

    @property
    def in_doubt(self) -> list[int]:
        """The partitions of which it matters whether they have been read to their ends."""
        newest_ms = self.newest_ms
        return [
            number
            for number, part in self.partitions.items()
            if number not in self.at_end
            and newest_ms - min(part.followed.values(), default=NOTHING_KNOWN) > LEFT_BEHIND_MS
        ]

    def ahead(self, by_ms: int) -> list[int]:
        """The partitions that are proven so far beyond the accounts' time that the others should be read first."""
        limit_ms = self.now_ms + by_ms
        marks = {number: part.followed.values() for number, part in self.partitions.items()}
        return [number for number, known in marks.items() if known and min(known) > limit_ms]

    @property
    def waits_for(self) -> str:
        """What keeps the accounts from going on: the symbol that is least proven, in words."""
        missing = [number for number in self.partitions if not self._known(number)]
        if missing:
            return f"partitions {missing} are being read"
        found = [(until_ms, symbol) for symbol, until_ms in self.proven().items()]
        if not found:
            return "no symbol has been seen yet"
        until_ms, symbol = min(found)
        return f"{symbol} is proven to {until_ms}" if until_ms != NOTHING_KNOWN else f"no evaluation of {symbol} yet"

    def advance(self) -> Move | None:
        """Take all accounts as far as the log has proven; None when that is no further."""
        if not all(self._known(number) for number in self.partitions):
            return None
        until_ms = min(self.proven().values(), default=self.now_ms)
        if until_ms <= self.now_ms:
            return None
        for part in self.partitions.values():
            for strategy in part.intervals:
                self.accounts.add(strategy)
        self._pass_settlements(until_ms)
        tapes = self._cut_tapes(until_ms)
        marks = self._cut_marks(until_ms, tapes)
        by_mark = frozenset(name for part in self.partitions.values() for name in part.by_mark)
        coming = Slice(until_ms, tapes, self._cut_signals(until_ms), self._funding(tapes), marks, by_mark)
        moves = self.accounts.advance(coming)
        move = Move(self.now_ms, until_ms, moves)
        self.now_ms = until_ms
        return move

    def _known(self, number: int) -> bool:
        return number in self.at_end or bool(self.partitions[number].followed)

    @property
    def newest_ms(self) -> int:
        """The newest watermark of all (ms); 0 before the first."""
        return max((ms for part in self.partitions.values() for ms in part.watermarks.by_symbol.values()), default=0)

    def proven(self) -> dict[str, int]:
        """The time up to which each symbol is proven, without those that nobody follows or that were left behind."""
        funding = self.accounts.terms.costs.funding
        newest_ms = self.newest_ms
        return {
            symbol: part.proven_until(symbol, funding=funding)
            for number, part in self.partitions.items()
            for symbol, watermark_ms in part.followed.items()
            if newest_ms - watermark_ms <= LEFT_BEHIND_MS or number not in self.at_end
        }

    def _cut_tapes(self, until_ms: int) -> dict[str, TradeTape]:
        """The trades before `until_ms` in the accounts' decimals; of a symbol that is new to them only what is not over."""
        found: dict[str, TradeTape] = {}
        for part in self.partitions.values():
            for symbol, waiting in part.tapes.items():
                scale = self._scale(symbol, waiting)
                if scale is None:
                    waiting.clear()
                    continue
                whole = rescaled(waiting, scale)
                begin, end = whole.place(self.now_ms), whole.place(until_ms)
                self.noticed.count("trades_too_late", begin)
                found[symbol] = whole.select(begin, end)
                part.tapes[symbol] = [whole.end_from(end)]
        return found

    def _cut_marks(self, until_ms: int, tapes: Iterable[str]) -> dict[str, MarkTape]:
        """The mark prices before `until_ms` of these tapes' symbols; of one that is new to the accounts only what is not over."""
        found: dict[str, MarkTape] = {}
        for part in self.partitions.values():
            for symbol, waiting in part.marks.items():
                steps = waiting.take(until_ms)
                if symbol in tapes:
                    found[symbol] = steps.between(self.now_ms, until_ms)
        return found

    def _scale(self, symbol: str, waiting: Sequence[TradeTape]) -> tuple[int, int] | None:
        if symbol not in self.scales:
            scale = waiting[0].scale
            self.scales[symbol] = scale if self.accounts.terms.tradable(symbol, scale) else None
        return self.scales[symbol]

    def _cut_signals(self, until_ms: int) -> dict[str, list[SignalScored]]:
        """The signals before `until_ms` by strategy."""
        found: dict[str, list[SignalScored]] = {}
        for part in self.partitions.values():
            for signal in [each for each in part.signals.values() if each.event_time_ms < until_ms]:
                del part.signals[signal.event_id]
                if signal.event_time_ms < self.now_ms:
                    self.noticed.count("signals_too_late")
                elif self.scales.get(signal.symbol) is None:
                    self.noticed.count("signals_of_untradable_symbols")
                else:
                    found.setdefault(signal.strategy, []).append(signal)
        return found

    def _pass_settlements(self, until_ms: int) -> None:
        """Of symbols that are not waited for: their positions may be held, and their settlements are passed with the others'."""
        waited_for = self.proven()
        for part in self.partitions.values():
            for symbol in sorted(part.funding.keys() - waited_for.keys()):
                self.noticed.assumed += [(symbol, ms) for ms in part.funding[symbol].pass_by(until_ms)]

    def _funding(self, tapes: Iterable[str]) -> list[FundingRates]:
        """The settlements of symbols that have become known since the last slice."""
        news = []
        for part in self.partitions.values():
            for symbol in sorted(part.funding.keys() & set(tapes)):
                settlements = part.funding[symbol]
                if settlements.changed:
                    news.append(settlements.known(symbol))
                    settlements.changed = False
        return news

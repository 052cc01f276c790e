"""What others say of themselves and of the account's trades: the executor, the signal engine, the market's feeds.

None of them is needed: what nobody says is unknown, and blocks entries.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from libs.contracts.market import FeedStatusChanged
from libs.contracts.trading import ExecutorReported, LiveTradeChanged
from libs.kit.durations import DAY_MS
from libs.trading.risk.inputs import Feed, Figure, PositionKey
from services.risk_guard.memory import MOST_TRADES, Entered, HeldTrade, TradeEnd
from services.risk_guard.moment import Moment
from services.risk_guard.positions import name_of

TRADE_FEED = "trades"
REPORT_MS = 10_000
"""So often a feed tells of itself while nothing changes."""
GRID_MS = 15_000
"""So often the engine evaluates every symbol: until the next time its silence says nothing."""
REMOVED_MS = 120_000
MILLION = 1_000_000


@dataclass(slots=True)
class TradeBook:
    """The account's trades as the executor tells them; the first four are remembered over restarts. `stands_at`: what the open
    part of a held trade was last worth, in R."""

    held: dict[str, HeldTrade] = field(default_factory=dict)
    ended: dict[str, TradeEnd] = field(default_factory=dict)
    entered: dict[str, Entered] = field(default_factory=dict)
    stands_at: dict[str, Decimal] = field(default_factory=dict)
    report: ExecutorReported | None = None
    report_at_ms: int = 0
    _orders: dict[str, int] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)

    def reported(self, report: ExecutorReported, now: Moment) -> None:
        """The executor's heartbeat. One from before a restart of ours is as old as it says."""
        self.report, self.report_at_ms = report, now.at_of(report.event_time_ms)
        for trade in report.held:
            self._hold(trade)

    def changed(self, trade: LiveTradeChanged) -> None:
        """A trade has changed."""
        if trade.slippage_bps is not None and trade.entered_at_ms is not None:
            self.entered[trade.trade_id] = Entered(trade.entered_at_ms, trade.slippage_bps)
        name = name_of(trade.symbol, trade.direction)
        if trade.state == "closed":
            self.ended[trade.trade_id] = TradeEnd(trade.event_time_ms, trade.pnl_quote, trade.pnl_r)
            if name in self.held and self.held[name].trade_id == trade.trade_id:
                del self.held[name]
        elif trade.state in ("open", "closing", "entering"):
            self._hold(trade)

    def order_seen(self, client_id: str, at_ms: int) -> None:
        """An order, or a conditional one, is new at the venue."""
        self._orders.setdefault(client_id, at_ms)

    def of(self, key: PositionKey) -> HeldTrade | None:
        """The trade that a position belongs to."""
        return self.held.get(name_of(*key))

    def doubt(self, name: str) -> None:
        """What is remembered of a position from before a restart may be about another one; what was said since is not."""
        if name not in self._said:
            self.held.pop(name, None)
            self.stands_at.pop(name, None)

    def forget(self, open_names: set[str], counts_from_ms: int, now: Moment) -> None:
        """What nobody asks for any more."""
        for name in [name for name in self.held if name not in open_names]:
            self._is_gone(name, self.held.pop(name), now.now_ms)
        since_ms = min(counts_from_ms, now.now_ms // DAY_MS * DAY_MS)
        for known in (self.ended, self.entered):
            old = [one for one, what in known.items() if what.time_ms < since_ms]
            for one in old + list(known)[: max(0, len(known) - len(old) - MOST_TRADES)]:
                known.pop(one, None)
        for client_id in [one for one, at_ms in self._orders.items() if at_ms <= now.at_ms - 60_000]:
            del self._orders[client_id]

    def figures(self, counts_from_ms: int, now: Moment) -> Mapping[str, Figure]:
        """The account's figures that only trades say, by their names in `Account`."""
        if self.report is None:
            return {}
        age_ms = now.at_ms - self.report_at_ms
        orders = max(self.report.orders_last_minute, len(self._orders))
        numbers = {
            "realised_today_r": self._realised_r(now),
            "losses_in_a_row": Decimal(self._losses(counts_from_ms)),
            "worst_slippage_bps": self._worst(counts_from_ms),
            "orders_last_minute": Decimal(orders),
        }
        return {name: Figure(number, age_ms) for name, number in numbers.items()}

    def executor_age_ms(self, now: Moment) -> int | None:
        """Since when the executor is silent."""
        return None if self.report is None else now.at_ms - self.report_at_ms

    def reconciled_age_ms(self, now: Moment) -> int | None:
        """Since when ours and the venue's picture have not agreed."""
        if self.report is None or self.report.reconciled_at_ms <= 0:
            return None
        return now.now_ms - self.report.reconciled_at_ms

    def _is_gone(self, name: str, trade: HeldTrade, now_ms: int) -> None:
        result, known = self.stands_at.pop(name, None), self.ended.get(trade.trade_id)
        if result is not None and trade.risk_quote is not None and known is None:
            in_r = result + (trade.pnl_r or 0)
            self.ended[trade.trade_id] = TradeEnd(now_ms, in_r * trade.risk_quote, in_r, told=False)

    def _hold(self, trade: LiveTradeChanged) -> None:
        known = self.ended.get(trade.trade_id)
        if (trade.entered_at_ms is None and trade.state == "entering") or (known is not None and known.told):
            return
        self._said.add(name_of(trade.symbol, trade.direction))
        self.held[name_of(trade.symbol, trade.direction)] = HeldTrade(
            trade.trade_id, trade.stop, trade.risk_quote, trade.entered_at_ms, trade.pnl_r
        )

    def _realised_r(self, now: Moment) -> Decimal:
        """A trade without an R is in the day's result in quote units only."""
        today = now.now_ms // DAY_MS
        held = {one.trade_id for one in self.held.values()}
        ended = [one.pnl_r for name, one in self.ended.items() if one.time_ms // DAY_MS == today and name not in held]
        running = [one.pnl_r for one in self.held.values()]
        return sum((one for one in (*ended, *running) if one is not None), Decimal(0))

    def _losses(self, counts_from_ms: int) -> int:
        count = 0
        for one in sorted(self.ended.values(), key=lambda end: end.time_ms, reverse=True):
            if one.time_ms <= counts_from_ms or one.pnl_quote >= 0:
                break
            count += 1
        return count

    def _worst(self, counts_from_ms: int) -> Decimal:
        found = [one.slippage_bps for one in self.entered.values() if one.time_ms > counts_from_ms]
        return max(found, default=Decimal(0))


@dataclass(slots=True)
class MarketBook:
    """Feeds and engine, as they say themselves; last prices as the order venue says them."""

    prices: dict[str, Decimal] = field(default_factory=dict)
    prices_at_ms: int | None = None
    skew_ms: Decimal | None = None
    skew_at_ms: int = 0
    _feeds: dict[str, tuple[FeedStatusChanged, int]] = field(default_factory=dict)
    _engine_at_ms: int | None = None

    def fed(self, report: FeedStatusChanged, now: Moment) -> None:
        """A feed has told how it is."""
        if report.feed == TRADE_FEED:
            self._feeds[report.symbol] = report, now.at_ms

    def engine_heard(self, now: Moment) -> None:
        """The engine has evaluated something."""
        self._engine_at_ms = now.at_ms

    def engine_age_ms(self, now: Moment) -> int | None:
        """Since when the engine owes its next evaluation."""
        return None if self._engine_at_ms is None else max(0, now.at_ms - self._engine_at_ms - GRID_MS)

    def feeds(self, now: Moment) -> tuple[Feed, ...]:
        """Each symbol's feed of trades. One that alone has fallen silent for long was taken away."""
        newest = max((at_ms for _, at_ms in self._feeds.values()), default=0)
        for symbol in [one for one, (_, at_ms) in self._feeds.items() if newest - at_ms > REMOVED_MS]:
            del self._feeds[symbol]
        return tuple(self._feed(symbol, *known, now) for symbol, known in sorted(self._feeds.items()))

    def _feed(self, symbol: str, report: FeedStatusChanged, at_ms: int, now: Moment) -> Feed:
        overdue_ms = max(0, now.at_ms - at_ms - REPORT_MS)
        age_ms = overdue_ms if report.is_live else max(overdue_ms, now.now_ms - max(report.since_ms, 0))
        share = report.completeness_1h_ppm
        complete = Figure() if share is None else Figure(Decimal(share) / MILLION, overdue_ms)
        return Feed(f"{report.feed} {symbol}", age_ms, complete)

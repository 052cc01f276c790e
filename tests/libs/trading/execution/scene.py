"""A venue and its books as two plain tables, each of which a test can change without the other."""

from dataclasses import dataclass, field, replace
from decimal import Decimal

import msgspec

from libs.contracts.trading import OrderStatus
from libs.trading.execution.adoption import adopted_trade
from libs.trading.execution.client_ids import (
    ACCOUNT_LETTERS,
    INSTALLATION_LETTERS,
    SIGNAL_LETTERS,
    Leg,
    OrderTag,
    Sender,
    letters_of,
)
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import Bracket, Direction, Fill, OurOrder, Rules, Side, Times, Trade
from libs.trading.execution.exposure import held_of, signed
from libs.trading.execution.facts import AlgoSeen, Answered, Ended, ExecutionSeen, NotFound, OrderSeen
from libs.trading.execution.findings import Finding
from libs.trading.execution.folds import fold, is_seen_flat
from libs.trading.execution.reconciliation import FindingKey, OurSide, Reconciled, reconcile
from libs.trading.execution.strays import Stray
from libs.trading.execution.venue_facts import (
    FillList,
    HeldTerms,
    OpenConditional,
    OpenOrder,
    PositionHeld,
    VenuePicture,
)

START_MS = 1_763_712_000_000
BTC, ETH = "BTCUSDT", "ETHUSDT"
PRICE, ONE, HALF = Decimal(100), Decimal(1), Decimal("0.5")
RULES = Rules(tick=Decimal("0.1"), quantity_step=Decimal("0.1"), min_quantity=Decimal("0.1"), min_notional=Decimal(5))
ACCOUNT = letters_of("main", ACCOUNT_LETTERS)
HERE = letters_of("here", INSTALLATION_LETTERS)
ELSEWHERE = letters_of("elsewhere", INSTALLATION_LETTERS)


def client_id(
    trade_id: str, leg: Leg, generation: int = 0, sender: Sender = "executor", installation: str = HERE
) -> str:
    """An id of ours."""
    return OrderTag(sender, ACCOUNT, installation, letters_of(trade_id, SIGNAL_LETTERS), leg, generation).client_id()


@dataclass
class Scene:
    """The venue (positions, what rests, fills) and the documents. `stale`: positions that the next look is told instead."""

    config: LiveConfig = field(default_factory=LiveConfig)
    now_ms: int = START_MS
    trades: dict[str, Trade] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    positions: dict[str, Decimal] = field(default_factory=dict)
    orders: dict[str, OpenOrder] = field(default_factory=dict)
    conditionals: dict[str, OpenConditional] = field(default_factory=dict)
    over: dict[str, OrderSeen | AlgoSeen] = field(default_factory=dict)
    fills: dict[str, list[ExecutionSeen]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    legs: list[PositionHeld] = field(default_factory=list)
    stale: dict[str, Decimal] | None = None
    is_hedged: bool = False
    is_multi_assets: bool = False
    terms: dict[str, HeldTerms] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    canceled: list[Stray] = field(default_factory=list)
    unlisted: set[str] = field(default_factory=set)
    number: int = 1000
    suspected: dict[FindingKey, int] = field(default_factory=dict)

    def next(self) -> int:
        """A number that the venue gives."""
        self.number += 1
        return self.number

    # --- what happens at the venue -----------------------------------------------------------------------------------

    def execute(self, symbol: str, side: Side, quantity: Decimal, name: str = "by-hand") -> ExecutionSeen:
        """A fill of an order of that client id; the documents do not hear it."""
        number = self.next()
        self.names[number] = name
        fill = ExecutionSeen(
            trade_id=self.next(),
            order_id=number,
            side=side,
            price=PRICE,
            quantity=quantity,
            fee=Decimal("0.04"),
            fee_asset="USDT",
            fee_quote=Decimal("0.04"),
            realised=Decimal(0),
            is_maker=False,
            time_ms=self.now_ms,
        )
        self.fills.setdefault(symbol, []).append(fill)
        self.positions[symbol] = self.positions.get(symbol, Decimal(0)) + signed(side, quantity)
        return fill

    def rest(self, symbol: str, name: str, side: Side, trigger: Decimal, quantity: Decimal | None = None) -> AlgoSeen:
        """A stop; without a quantity it closes the position."""
        seen = AlgoSeen(
            client_id=name,
            algo_id=self.next(),
            side=side,
            status="waiting",
            quantity=quantity or Decimal(0),
            trigger=trigger,
            close_position=quantity is None,
            reduce_only=quantity is not None,
            updated_ms=self.now_ms,
        )
        self.conditionals[name] = OpenConditional(symbol, seen)
        return seen

    def rest_limit(self, symbol: str, name: str, side: Side, quantity: Decimal, price: Decimal) -> OrderSeen:
        """A limit order in the book."""
        seen = OrderSeen(name, self.next(), side, "new", quantity, Decimal(0), price, reduce_only=True)
        self.orders[name] = OpenOrder(symbol, seen)
        self.names[seen.order_id] = name
        return seen

    def fill_limit(self, name: str) -> None:
        """A resting order fills."""
        resting = self.orders.pop(name)
        fill = self.execute(resting.symbol, resting.seen.side, resting.seen.quantity, name)
        self._renumber(resting.symbol, fill, resting.seen.order_id)
        self.over[name] = replace(resting.seen, status="filled", executed=resting.seen.quantity)

    def trigger(self, name: str, quantity: Decimal, whole: Decimal | None = None) -> None:
        """A conditional becomes an order, which fills `quantity` of `whole`."""
        waiting = self.conditionals.pop(name)
        fill = self.execute(waiting.symbol, waiting.seen.side, quantity, name)
        status = "filled" if whole in (None, quantity) else "expired"
        self.over[name] = OrderSeen(name, fill.order_id, waiting.seen.side, status, whole or quantity, quantity)  # type: ignore[arg-type]

    def drop(self, name: str, status: str = "canceled") -> None:
        """An order of ours ends without a fill."""
        if name in self.conditionals:
            self.over[name] = replace(self.conditionals.pop(name).seen, status=status)  # type: ignore[arg-type]
        else:
            self.over[name] = replace(self.orders.pop(name).seen, status=status)  # type: ignore[arg-type]

    def _renumber(self, symbol: str, fill: ExecutionSeen, order_id: int) -> None:
        self.fills[symbol][-1] = replace(fill, order_id=order_id)

    # --- what both know ----------------------------------------------------------------------------------------------

    def hold(self, symbol: str = BTC, direction: Direction = "long", trade_id: str = "signal-1") -> Trade:
        """A position of 1 with its stop and two targets, known to both sides."""
        into, out = ("BUY", "SELL") if direction == "long" else ("SELL", "BUY")
        sign = 1 if direction == "long" else -1
        entry = self.execute(symbol, into, ONE, client_id(trade_id, "entry"))  # type: ignore[arg-type]
        stop = self.rest(symbol, client_id(trade_id, "stop"), out, PRICE - 10 * sign)  # type: ignore[arg-type]
        orders = [self._entry(entry), _stop(stop)]
        for leg, price in (("take_profit_1", PRICE + 10 * sign), ("take_profit_2", PRICE + 20 * sign)):
            seen = self.rest_limit(symbol, client_id(trade_id, leg), out, HALF, price)  # type: ignore[arg-type]
            orders.append(_target(seen, leg))  # type: ignore[arg-type]
        self.trades[trade_id] = Trade(
            trade_id=trade_id,
            account="main",
            symbol=symbol,
            direction=direction,
            origin="signal",
            state="open",
            signal_letters=letters_of(trade_id, SIGNAL_LETTERS),
            account_letters=ACCOUNT,
            installation_letters=HERE,
            bracket=Bracket(
                stop=PRICE - 10 * sign, take_profit_1=PRICE + 10, take_profit_2=PRICE + 20, hold_until_ms=self.now_ms
            ),
            rules=RULES,
            quantity=ONE,
            risk=Decimal(10),
            times=Times(decided_ms=self.now_ms),
            orders=tuple(orders),
            fills=(_fill(entry),),
        )
        self.terms[symbol] = HeldTerms(self.config.leverage_of(symbol), self.config.margin_type_of(symbol))
        self.now_ms += 5_000
        return self.trades[trade_id]

    def _entry(self, fill: ExecutionSeen) -> OurOrder:
        return OurOrder(
            client_id=self.names[fill.order_id],
            leg="entry",
            generation=0,
            side=fill.side,
            quantity=fill.quantity,
            status="filled",
            executed=fill.quantity,
            venue_id=fill.order_id,
            intended_ms=self.now_ms,
            updated_ms=self.now_ms,
        )

    def enter(self, status: OrderStatus, filled: Decimal = Decimal(0), trade_id: str = "signal-1") -> Trade:
        """An entry of 1 whose outcome the books do not know: `filled` of it was, the rest has expired."""
        name = client_id(trade_id, "entry")
        order = OurOrder(
            client_id=name,
            leg="entry",
            generation=0,
            side="BUY",
            quantity=ONE,
            status=status,
            valid_until_ms=self.now_ms + 2_000 if status != "intended" else 0,
            intended_ms=self.now_ms,
            updated_ms=self.now_ms,
        )
        if filled:
            fill = self.execute(BTC, "BUY", filled, name)
            self.over[name] = OrderSeen(
                name, fill.order_id, "BUY", "filled" if filled == ONE else "expired", ONE, filled
            )
        self.trades[trade_id] = Trade(
            trade_id=trade_id,
            account="main",
            symbol=BTC,
            direction="long",
            origin="signal",
            state="entering",
            signal_letters=letters_of(trade_id, SIGNAL_LETTERS),
            account_letters=ACCOUNT,
            installation_letters=HERE,
            bracket=Bracket(stop=PRICE - 10, take_profit_1=PRICE + 10, take_profit_2=PRICE + 20, hold_until_ms=0),
            rules=RULES,
            quantity=ONE,
            risk=Decimal(10),
            orders=(order,),
        )
        self.now_ms += 5_000
        return self.trades[trade_id]

    # --- comparisons -------------------------------------------------------------------------------------------------

    def picture(self) -> VenuePicture:
        """What a look is told."""
        told = self.stale if self.stale is not None else self.positions
        self.stale = None
        held = [PositionHeld(symbol, amount, PRICE, PRICE) for symbol, amount in told.items() if amount]
        return VenuePicture(
            positions=(*held, *self.legs),
            positions_ms=self.now_ms,
            orders=tuple(self.orders.values()),
            orders_ms=self.now_ms,
            conditionals=tuple(self.conditionals.values()),
            conditionals_ms=self.now_ms,
            is_hedged=self.is_hedged,
            is_multi_assets=self.is_multi_assets,
            terms=self.terms,
            statuses=self.statuses,
        )

    def compare(self, *, thorough: bool = False) -> Reconciled:
        """One comparison, with everything that it wants to know."""
        picture = self.picture()
        for _ in range(4):
            ours = OurSide(ACCOUNT, HERE, tuple(self.trades.values()), frozenset(self.ended), self.config)
            found = reconcile(ours, picture, self.suspected, thorough=thorough)
            if found.wanted.is_nothing:
                break
            for wish in found.wanted.fills:
                since = (wish.from_id or 0, 0 if wish.from_id else wish.since_ms)
                of_symbol = self.fills.get(wish.symbol, [])
                known = [one for one in of_symbol if one.trade_id >= since[0] and one.time_ms >= since[1]]
                lost = wish.symbol in self.unlisted
                fills = FillList(() if lost else tuple(known), self.now_ms, is_whole=not lost)
                picture = replace(picture, fills={**picture.fills, wish.symbol: fills})
            names = {one: self.names.get(one[1], "") for one in found.wanted.names}
            picture = replace(picture, names={**picture.names, **names})
        return found

    def step(self, *, thorough: bool = False) -> Reconciled:
        """Compare three seconds later, and do what an executor does with it: fold, ask what is in doubt, cancel, adopt, end."""
        self.now_ms += 3_000
        found = self.compare(thorough=thorough)
        self.suspected = dict(found.suspected)
        for trade_id, fact in found.facts:
            self.trades[trade_id] = fold(self.trades[trade_id], fact)
        for stray in found.cancels:
            self.canceled.append(stray)
            (self.conditionals if stray.is_conditional else self.orders).pop(stray.client_id)
        for one in found.adoptions:
            adopted = adopted_trade(one, ("main", ACCOUNT, HERE), RULES, self.config)
            self.trades[adopted.trade_id] = adopted
        for trade in list(self.trades.values()):
            self._tend(trade)
        return found

    def settle(self, looks: int = 5) -> tuple[list[Finding], Reconciled]:
        """Everything that was found on the way, and the last comparison, which finds nothing new."""
        seen: list[Finding] = []
        for look in range(looks):
            last = self.step(thorough=look == 0)
            seen += last.findings
        return seen, last

    def _tend(self, trade: Trade) -> None:
        """The executor's part: what is in doubt is asked, what is flat is ended and leaves nothing behind."""
        for order in trade.orders:
            if order.status in ("unknown", "submitting") or (order.order_id and not order.is_final):
                told = self.over.get(order.client_id)
                fact = Answered(order.client_id, told, self.now_ms) if told else NotFound(order.client_id, self.now_ms)
                trade = fold(trade, fact)
        flat = bool(trade.fills) and (not held_of(trade) or trade.symbol in self.unlisted) and is_seen_flat(trade)
        if flat:
            for order in trade.orders:
                self.conditionals.pop(order.client_id, None)
                self.orders.pop(order.client_id, None)
            trade = fold(trade, Ended(None, self.now_ms))
        if trade.is_final:
            del self.trades[trade.trade_id]
            self.ended.add(trade.trade_id)
        else:
            self.trades[trade.trade_id] = trade

    def change(self, trade: Trade, client: str, **fields: object) -> None:
        """Let the books say something else of one order."""
        orders = tuple(
            msgspec.structs.replace(one, **fields) if one.client_id == client else one for one in trade.orders
        )
        self.trades[trade.trade_id] = msgspec.structs.replace(trade, orders=orders)


def _stop(seen: AlgoSeen) -> OurOrder:
    return OurOrder(
        client_id=seen.client_id,
        leg="stop",
        generation=0,
        side=seen.side,
        quantity=None,
        status="new",
        trigger=seen.trigger,
        venue_id=seen.algo_id,
        intended_ms=seen.updated_ms,
        updated_ms=seen.updated_ms,
    )


def _target(seen: OrderSeen, leg: Leg) -> OurOrder:
    return OurOrder(
        client_id=seen.client_id,
        leg=leg,
        generation=0,
        side=seen.side,
        quantity=seen.quantity,
        status="new",
        price=seen.price,
        reduce_only=True,
        venue_id=seen.order_id,
    )


def _fill(seen: ExecutionSeen) -> Fill:
    return Fill(
        trade_id=seen.trade_id,
        order_id=seen.order_id,
        client_id=client_id("signal-1", "entry"),
        by="executor",
        leg="entry",
        side=seen.side,
        price=seen.price,
        quantity=seen.quantity,
        fee=seen.fee,
        fee_asset=seen.fee_asset,
        fee_quote=seen.fee_quote,
        realised=seen.realised,
        is_maker=seen.is_maker,
        time_ms=seen.time_ms,
    )

"""The account's user stream, as facts for the desks: what is ours by its ids; anything else is looked into at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from libs.exchanges.pictures import algo_seen, execution_seen, order_seen
from libs.exchanges.user_events import AccountTold, AlgoTold, LeverageTold, MarginCallTold, OrderTold, UserEvent
from libs.kit.logging import get_logger
from libs.trading.execution.document import Trade
from libs.trading.execution.facts import Answered, Filled
from services.executor.desk import Desk
from services.executor.permission import Permission
from services.executor.seeing import order_numbers
from services.executor.sending import Said
from services.executor.terms import Terms

MOST_UNPLACED = 200
"""Orders of a stream that nobody of us knows yet: a conditional's order may be told before the conditional is."""
_LOGGER = get_logger("executor.hearing")


@dataclass(slots=True)
class Hearing:
    """The port's `UserStreamHandler`. `compare`: books and venue should be compared soon; `funded`: the
    statement has a line that matters. `warn`: a person should know."""

    desks: Mapping[str, Desk]
    permission: Permission
    terms: Terms
    compare: Callable[[], None]
    funded: Callable[[], None]
    warn: Callable[[str, str], None]
    _unplaced: list[OrderTold] = field(default_factory=list)

    def on_user_open(self) -> None:
        self.permission.is_heard = True
        self.compare()
        # Funding may have been settled while nobody listened.
        self.funded()

    def on_user_close(self, reason: str) -> None:
        self.permission.is_heard = False
        _LOGGER.warning("the account is not heard", reason=reason)

    def on_user_events(self, events: Sequence[UserEvent]) -> None:
        for event in events:
            match event:
                case OrderTold():
                    self._order(event)
                case AlgoTold():
                    self._algo(event)
                case AccountTold(reason="FUNDING_FEE"):
                    self.funded()
                case AccountTold(positions=positions):
                    for position in positions:
                        if (desk := self.desks.get(position.symbol)) is not None:
                            desk.look()
                case LeverageTold(symbol, leverage):
                    self.terms.told(symbol, leverage)
                case MarginCallTold(symbols):
                    self.warn("positions are near their liquidation", ", ".join(symbols))

    def _order(self, event: OrderTold) -> None:
        desk = self.desks.get(event.order.symbol)
        said = said_of_order(event, desk.trades.values()) if desk is not None else []
        if desk is not None and said:
            for trade_id, fact in said:
                desk.hear(trade_id, [fact])
            return
        self._unplaced = [*self._unplaced[-MOST_UNPLACED:], event]
        if desk is not None and desk.trades and event.execution is not None:
            # The guard's, the venue's own, a person's, or of a conditional that is not told yet: the list of fills says whose.
            desk.read_fills()
        elif event.execution is not None or not event.order.is_final:
            self.compare()

    def _algo(self, event: AlgoTold) -> None:
        """A conditional that names its order may place what was told of that order before. One that no trade knows is looked
        into, also in a symbol that was never traded: no list is read there before long."""
        algo = event.algo
        if (desk := self.desks.get(algo.symbol)) is not None and self._is_ours(desk, event):
            return
        if not algo.is_final:
            self.compare()

    def _is_ours(self, desk: Desk, event: AlgoTold) -> bool:
        """Whether a trade of the desk knows it, and hears of it."""
        algo = event.algo
        for trade in desk.trades.values():
            if any(one.client_id == algo.client_id for one in trade.orders):
                desk.hear(trade.trade_id, [Answered(algo.client_id, algo_seen(algo), event.event_ms)])
                if algo.order_id is not None:
                    self._replay(algo.order_id, trade, algo.client_id)
                return True
        return False

    def _replay(self, order_id: int, trade: Trade, client_id: str) -> None:
        known = [one for one in self._unplaced if one.order.order_id == order_id]
        self._unplaced = [one for one in self._unplaced if one.order.order_id != order_id]
        for event in known:
            self.desks[event.order.symbol].hear(trade.trade_id, _facts(event, client_id))


def said_of_order(event: OrderTold, trades: Iterable[Trade]) -> list[Said]:
    """What an order's event says of the symbol's trades; nothing where no trade knows it."""
    for trade in trades:
        ours = next((one for one in trade.orders if one.client_id == event.order.client_id), None)
        ours = ours or order_numbers(trade).get(event.order.order_id)
        if ours is not None:
            return [(trade.trade_id, fact) for fact in _facts(event, ours.client_id)]
    return []


def _facts(event: OrderTold, client_id: str) -> list[Answered | Filled]:
    facts: list[Answered | Filled] = []
    if event.execution is not None:
        facts.append(Filled(execution_seen(event.execution, client_id)))
    return [*facts, Answered(client_id, replace(order_seen(event.order), client_id=client_id), event.event_ms)]

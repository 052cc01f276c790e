"""Faults of trading, carried out: what others do to an account, reads that lag, cancels that come too late, thin triggers."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from decimal import Decimal

from aiohttp import web

from services.exchange_simulator.faults import plan, trading
from services.exchange_simulator.faults.answers import meets, note
from services.exchange_simulator.faults.desk import Armed, FaultDesk
from services.exchange_simulator.private.house import House
from services.exchange_simulator.rest.errors import VenueError
from services.exchange_simulator.trading import commands
from services.exchange_simulator.trading.account import Account
from services.exchange_simulator.trading.commands import AnyCommand
from services.exchange_simulator.trading.orders import ADL, LIQUIDATED, SETTLED, ZERO, AlgoRequest, OrderRequest, Side

_NAMES: dict[trading.Closing, str] = {
    "liquidation": LIQUIDATED,
    "adl": ADL,
    "settlement": SETTLED,
}
_EVERYBODY = ""


class Meddling:
    """Listens to the desk; the endpoints ask it what they may see and whether somebody is faster."""

    def __init__(self, house: House, desk: FaultDesk) -> None:
        self.desk = desk
        self._house = house
        # What the accounts were, while a fault has reads lag: times and copies by account, oldest first.
        self._past: dict[str, list[tuple[int, Account]]] = {}
        desk.on_begin.append(self._begin)
        desk.on_end.append(self._end)
        house.on_change.append(self._remember)
        if self._lagging():
            self._remember()
        house.streams.strict = any(self._is_strict(armed) for armed in desk.faults() if armed.state == "active")

    # --- what begins and ends ---------------------------------------------------------------------------------------

    def _begin(self, armed: Armed) -> None:
        if isinstance(armed.fault, trading.StaleReads):
            self._remember()
        if self._is_strict(armed):
            self._house.streams.strict = True
        for command in self._commands(armed.fault):
            taken = self._do(armed, command)
            if isinstance(armed.fault, trading.AccountFault):
                armed.affected += taken

    def _end(self, armed: Armed) -> None:
        if isinstance(armed.fault, trading.ThinTriggers):
            self._do(armed, commands.SetTriggeredShare(at=self._house.now_ms(), account=_EVERYBODY, share=Decimal(1)))
        if self._is_strict(armed):
            self._house.streams.strict = False
        if not self._lagging():
            self._past.clear()

    @staticmethod
    def _is_strict(armed: Armed) -> bool:
        return isinstance(armed.fault, trading.StrictUserStreams)

    def _do(self, armed: Armed, command: AnyCommand) -> bool:
        """Carry it out, and write down whether the venue took it: a script may ask for what the account cannot do."""
        detail: dict[str, object] = {"account": command.account, "command": type(command).__name__}
        try:
            self._house.do(command)
        except VenueError as error:
            detail |= {"refused": error.code, "message": error.message}
        symbol = getattr(command, "symbol", None) or getattr(getattr(command, "request", None), "symbol", None)
        # What the market itself does is told by its own entry, what follows for accounts by one of another kind.
        kind = "settled" if isinstance(armed.fault, plan.Delisting) else armed.fault.kind
        self.desk.ledger.add(command.at, armed.number, kind, symbol=symbol, count=1, detail=detail)
        return "refused" not in detail

    def check(self, fault: plan.AnyFault) -> None:
        """Raise `ValueError` for an account or a symbol that is not there."""
        if not isinstance(fault, trading.AccountFault):
            return
        if fault.account not in self._house.exchange.accounts:
            raise ValueError(f"there is no account {fault.account}")
        symbol = getattr(fault, "symbol", None)
        if symbol is not None and symbol not in self._house.prices.symbols:
            raise ValueError(f"the market has no {symbol}")

    def _commands(self, fault: plan.AnyFault) -> Iterator[AnyCommand]:
        """What a fault that begins does to accounts; each is made when the one before it is done."""
        at = self._house.now_ms
        if isinstance(fault, plan.Delisting):
            for symbol in fault.symbols or self._house.prices.symbols:
                for name, account in self._house.exchange.accounts.items():
                    book = account.book
                    if account.held(symbol) or book.open_orders(symbol) or book.open_algos(symbol):
                        yield commands.Delist(at=at(), account=name, symbol=symbol)
        elif isinstance(fault, trading.ThinTriggers):
            yield commands.SetTriggeredShare(at=at(), account=_EVERYBODY, share=fault.share)
        elif isinstance(fault, trading.AccountFault):
            yield from _done_to(self._house.exchange.accounts[fault.account], fault, at)

    # --- reads that lag ---------------------------------------------------------------------------------------------

    def _lagging(self) -> list[Armed]:
        return [armed for armed in self.desk.rest_faults if isinstance(armed.fault, trading.StaleReads)]

    def _remember(self) -> None:
        if not (lagging := self._lagging()):
            return
        now_ms = self._house.now_ms()
        longest = max(armed.fault.by_ms for armed in lagging if isinstance(armed.fault, trading.StaleReads))
        for name, account in self._house.exchange.accounts.items():
            kept = self._past.setdefault(name, [])
            kept.append((now_ms, deepcopy(account)))
            while len(kept) > 1 and kept[1][0] <= now_ms - longest:
                kept.pop(0)

    def seen(self, request: web.Request, values: Mapping[str, str], account: Account) -> Account:
        """The account as this read may know it."""
        for armed in self._lagging():
            assert isinstance(armed.fault, trading.StaleReads)
            if not meets(armed, request, values):
                continue
            now_ms = self._house.now_ms()
            note(self.desk, armed, request, values, now_ms)
            past = self._past[account.name]
            known = [copy for at, copy in past if at <= now_ms - armed.fault.by_ms]
            return known[-1] if known else past[0][1]
        return account

    # --- cancels that come too late ---------------------------------------------------------------------------------

    def intercept(self, request: web.Request, values: Mapping[str, str], account: Account) -> None:
        """Let somebody be faster than a cancel that meets such a fault."""
        for armed in self.desk.rest_faults:
            if not isinstance(armed.fault, trading.CancelTooLate):
                continue
            command = self._faster(request, values, account)
            if command is not None and meets(armed, request, values):
                note(self.desk, armed, request, values, command.at)
                self._do(armed, command)

    def _faster(self, request: web.Request, values: Mapping[str, str], account: Account) -> AnyCommand | None:
        common = {"at": self._house.now_ms(), "account": account.name}
        if request.path.endswith("/algoOrder"):
            ids = (values.get("algoId"), values.get("clientAlgoId"))
            for algo in account.book.open_algos():
                if str(algo.algo_id) == ids[0] or (not ids[0] and algo.request.client_id == ids[1]):
                    return commands.TriggerAlgo(algo_id=algo.algo_id, **common)  # type: ignore[arg-type]
            return None
        ids = (values.get("orderId"), values.get("origClientOrderId"))
        for order in account.book.open_orders(values.get("symbol")):
            if str(order.order_id) == ids[0] or (not ids[0] and order.request.client_id == ids[1]):
                return commands.FillOrder(order_id=order.order_id, **common)  # type: ignore[arg-type]
        return None


def _done_to(account: Account, fault: trading.AccountFault, at: Callable[[], int]) -> Iterator[AnyCommand]:
    """What others do to an account."""
    name = account.name
    match fault:
        case trading.OutsideOrder():
            yield commands.PlaceOrder(at=at(), account=name, request=_by_hand(fault))
        case trading.OutsideStop():
            yield commands.PlaceAlgo(at=at(), account=name, request=_stop_by_hand(fault))
        case trading.OutsideCancel(symbol=symbol):
            if fault.orders:
                yield commands.CancelAll(at=at(), account=name, symbol=symbol)
            for algo in account.book.open_algos(symbol) if fault.algo_orders else ():
                yield commands.CancelAlgo(at=at(), account=name, algo_id=algo.algo_id)
        case trading.OutsideSettings():
            yield from _other_settings(name, fault, at)
        case trading.PositionFlip(symbol=symbol):
            for position in account.held(symbol):
                side: Side = "SELL" if position.amount > 0 else "BUY"
                request = OrderRequest(symbol, side, position.side, "MARKET", 2 * abs(position.amount))
                yield commands.PlaceOrder(at=at(), account=name, request=request)
        case trading.ForcedClose(symbol=symbol, reason=reason, share=share):
            for position in account.held(symbol):
                forced = {"symbol": symbol, "side": position.side, "name": _NAMES[reason], "share": share}
                yield commands.ForceClose(at=at(), account=name, **forced)  # type: ignore[arg-type]
        case trading.MoneyTransfer(asset=asset, amount=amount):
            yield commands.Transfer(at=at(), account=name, asset=asset, amount=amount)
        case trading.MarginCall():
            yield commands.CallMargin(at=at(), account=name)


def _by_hand(fault: trading.OutsideOrder) -> OrderRequest:
    return OrderRequest(
        fault.symbol,
        fault.side,
        fault.position_side,
        "MARKET" if fault.price is None else "LIMIT",
        fault.quantity,
        fault.price or ZERO,
        reduce_only=fault.reduce_only,
        client_id=fault.client_id,
    )


def _stop_by_hand(fault: trading.OutsideStop) -> AlgoRequest:
    return AlgoRequest(
        fault.symbol,
        fault.side,
        fault.position_side,
        fault.type,
        fault.quantity or ZERO,
        fault.trigger_price,
        working_type=fault.working_type,
        close_position=fault.quantity is None,
        client_id=fault.client_id,
    )


def _other_settings(name: str, fault: trading.OutsideSettings, at: Callable[[], int]) -> Iterator[AnyCommand]:
    if fault.symbol is not None and fault.leverage is not None:
        yield commands.SetLeverage(at=at(), account=name, symbol=fault.symbol, leverage=fault.leverage)
    if fault.symbol is not None and fault.margin_type is not None:
        yield commands.SetMarginType(at=at(), account=name, symbol=fault.symbol, margin_type=fault.margin_type)
    if fault.hedged is not None:
        yield commands.SetMode(at=at(), account=name, hedged=fault.hedged)
    if fault.multi_assets is not None:
        yield commands.SetMultiAssets(at=at(), account=name, wanted=fault.multi_assets)

"""An account: balances, positions, settings, and what its fills, fees and fundings did to them."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

from services.exchange_simulator.trading.orders import SIGN, ZERO, Book, PositionSide, Side

IncomeType = Literal["REALIZED_PNL", "FUNDING_FEE", "COMMISSION", "TRANSFER", "INSURANCE_CLEAR"]
MarginType = Literal["CROSSED", "ISOLATED"]
TAKER_FEE, MAKER_FEE = Decimal("0.0005"), Decimal("0.0002")
CLEARANCE_FEE = Decimal("0.0125")
BNB_DISCOUNT = Decimal("0.9")
MAINTENANCE = Decimal("0.004")
DEFAULT_LEVERAGE = 20
_MONEY = Decimal("1E-8")
_Key = tuple[str, PositionSide]


def money(value: Decimal) -> Decimal:
    """Amounts have eight decimals."""
    return value.quantize(_MONEY)


@dataclass(slots=True)
class Position:
    """`amount` is signed, also on the SHORT side; `entry` the average price; `fees` what was paid since it was opened."""

    symbol: str
    side: PositionSide
    amount: Decimal = ZERO
    entry: Decimal = ZERO
    realised: Decimal = ZERO
    fees: Decimal = ZERO
    updated_ms: int = 0

    def unrealised(self, mark: Decimal) -> Decimal:
        return money((mark - self.entry) * self.amount)

    @property
    def break_even(self) -> Decimal:
        """Where closing at the taker's fee would earn nothing."""
        if not self.amount:
            return ZERO
        cost = self.entry * self.amount + self.fees
        return cost / self.amount / (1 - TAKER_FEE * (1 if self.amount > 0 else -1))

    def take(self, side: Side, quantity: Decimal, price: Decimal) -> Decimal:
        """A fill; returns the profit that it realised. One that goes through zero opens the rest at its price."""
        signed = SIGN[side] * quantity
        closing = min(quantity, abs(self.amount)) if self.amount * signed < 0 else ZERO
        profit = money((price - self.entry) * closing * (1 if self.amount > 0 else -1))
        if closing < quantity:
            opened = quantity - closing
            kept = ZERO if closing else abs(self.amount)
            self.entry = (self.entry * kept + price * opened) / (kept + opened)
            if closing:
                self.fees = ZERO
        self.amount += signed
        if not self.amount:
            self.entry, self.fees = ZERO, ZERO
        return profit


class Income(NamedTuple):
    """A row of the income statement."""

    kind: IncomeType
    symbol: str
    asset: str
    amount: Decimal
    time_ms: int
    transaction: int
    trade_id: int | None


@dataclass(slots=True)
class SymbolSettings:
    """What an account has set for a symbol."""

    leverage: int = DEFAULT_LEVERAGE
    margin_type: MarginType = "CROSSED"


@dataclass(slots=True)
class Account:
    """`balances` by asset; `hedged`: positions have sides; `pays_in_bnb`: fees are taken from BNB while there is some."""

    name: str
    balances: dict[str, Decimal]
    hedged: bool = False
    pays_in_bnb: bool = False
    multi_assets: bool = False
    positions: dict[_Key, Position] = field(default_factory=dict)
    settings: dict[str, SymbolSettings] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    income: list[Income] = field(default_factory=list)
    changed_ms: int = 0
    _transactions: int = 0

    @property
    def sides(self) -> tuple[PositionSide, ...]:
        """The positions that a symbol may have."""
        return ("LONG", "SHORT") if self.hedged else ("BOTH",)

    def position(self, symbol: str, side: PositionSide) -> Position:
        """The position, made when it was never held."""
        return self.positions.setdefault((symbol, side), Position(symbol, side))

    def held(self, symbol: str | None = None) -> list[Position]:
        """Positions that are not flat."""
        return [one for one in self.positions.values() if one.amount and symbol in (None, one.symbol)]

    def of(self, symbol: str) -> SymbolSettings:
        return self.settings.setdefault(symbol, SymbolSettings())

    def book_income(
        self, kind: IncomeType, symbol: str, asset: str, amount: Decimal, at: tuple[int, int | None]
    ) -> None:
        """Move a balance, and say why. `at`: time (ms), and the trade's id where there was one."""
        if not amount:
            return
        self._transactions += 1
        self.balances[asset] = money(self.balances.get(asset, ZERO) + amount)
        self.income.append(Income(kind, symbol, asset, amount, at[0], 9_000_000_000 + self._transactions, at[1]))
        self.changed_ms = at[0]

    def wallet(self, asset: str = "USDT") -> Decimal:
        return self.balances.get(asset, ZERO)


class Margin(NamedTuple):
    """What an account's positions and open orders bind of its money (USDT)."""

    positions: Decimal
    orders: Decimal
    maintenance: Decimal
    unrealised: Decimal

    def available(self, wallet: Decimal) -> Decimal:
        """What is left for new orders."""
        return max(ZERO, wallet + self.unrealised - self.positions - self.orders)


def position_margin(account: Account, position: Position, mark: Decimal) -> Decimal:
    return money(abs(position.amount) * mark / account.of(position.symbol).leverage)


def margin(account: Account, marks: dict[str, Decimal]) -> Margin:
    """`marks`: of every symbol with a position or an open order."""
    positions = maintenance = unrealised = orders = ZERO
    for position in account.held():
        mark = marks[position.symbol]
        positions += position_margin(account, position, mark)
        maintenance += money(abs(position.amount) * mark * MAINTENANCE)
        unrealised += position.unrealised(mark)
    for order in account.book.open_orders():
        if not order.request.reduce_only:
            leverage = account.of(order.request.symbol).leverage
            orders += money(order.remaining * order.request.price / leverage)
    return Margin(positions, orders, maintenance, unrealised)

"""Faults of trading: reads that lag, cancels that come too late, triggers that find nobody, and what others do to an account."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from services.exchange_simulator.faults.base import Fault, Method, RestFault
from services.exchange_simulator.trading.account import MarginType
from services.exchange_simulator.trading.orders import AlgoType, PositionSide, Side, WorkingType

Amount = Annotated[Decimal, Field(gt=0, max_digits=30, decimal_places=12)]
Closing = Literal["liquidation", "adl", "settlement"]


class StaleReads(RestFault):
    """Reads tell what was true `by_ms` ago; what came later is not there yet, whatever was answered meanwhile."""

    kind: Literal["stale_reads"]
    paths: tuple[str, ...] = (
        "/fapi/v3/positionRisk",
        "/fapi/v2/positionRisk",
        "/fapi/v3/account",
        "/fapi/v2/account",
        "/fapi/v1/openAlgoOrders",
        "/fapi/v1/algoOrder",
    )
    methods: tuple[Method, ...] = ("GET",)
    by_ms: int = Field(default=2000, ge=1, le=60_000)


class CancelTooLate(RestFault):
    """Somebody takes the order (a conditional one triggers) just before it would be cancelled: -2011."""

    kind: Literal["cancel_too_late"]
    paths: tuple[str, ...] = ("/fapi/v1/order", "/fapi/v1/algoOrder")
    methods: tuple[Method, ...] = ("DELETE",)


class ThinTriggers(Fault):
    """What triggers meanwhile finds only a `share` of what it asks for; a market order's rest expires, at 0 all of it."""

    kind: Literal["thin_triggers"]
    share: Decimal = Field(default=Decimal(0), ge=0, le=1)


class StrictUserStreams(Fault):
    """Only connections with a listen key and names of events in their address hear anything; the older ways stay silent."""

    kind: Literal["strict_user_streams"]


class AccountFault(Fault):
    """Something happens to an account without its owner's program; one instant."""

    account: str = "main"


class OutsideOrder(AccountFault):
    """An order by hand: at the market, or at `price`."""

    kind: Literal["outside_order"]
    symbol: str
    side: Side
    quantity: Amount
    price: Amount | None = None
    position_side: PositionSide = "BOTH"
    reduce_only: bool = False
    client_id: str = Field(default="", pattern=r"^[.A-Z:/a-z0-9_-]{0,36}$")


class OutsideStop(AccountFault):
    """A conditional order by hand; without `quantity` it closes the position."""

    kind: Literal["outside_stop"]
    symbol: str
    side: Side
    type: AlgoType = "STOP_MARKET"
    trigger_price: Amount
    quantity: Amount | None = None
    position_side: PositionSide = "BOTH"
    working_type: WorkingType = "CONTRACT_PRICE"
    client_id: str = Field(default="", pattern=r"^[.A-Z:/a-z0-9_-]{0,36}$")


class OutsideCancel(AccountFault):
    """Somebody cancels what is open of a symbol."""

    kind: Literal["outside_cancel"]
    symbol: str
    orders: bool = True
    algo_orders: bool = True


class OutsideSettings(AccountFault):
    """Somebody changes leverage or margin type of a symbol, or the account's position mode or multi-assets mode."""

    kind: Literal["outside_settings"]
    symbol: str | None = None
    leverage: int | None = Field(default=None, ge=1, le=125)
    margin_type: MarginType | None = None
    hedged: bool | None = None
    multi_assets: bool | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.symbol is None and (self.leverage is not None or self.margin_type is not None):
            raise ValueError("leverage and margin_type are those of a symbol: name it")
        return self


class PositionFlip(AccountFault):
    """A position changes its side by hand, in one order of twice its size."""

    kind: Literal["position_flip"]
    symbol: str


class ForcedClose(AccountFault):
    """The venue closes positions of a symbol at the mark, all or a `share`, under its own ids: `autoclose-` (liquidation),
    `adl_autoclose`, `settlement_autoclose-`."""

    kind: Literal["forced_close"]
    symbol: str
    reason: Closing
    share: Decimal = Field(default=Decimal(1), gt=0, le=1)


class MoneyTransfer(AccountFault):
    """Money comes, or goes (below zero)."""

    kind: Literal["transfer"]
    asset: str = "USDT"
    amount: Annotated[Decimal, Field(max_digits=30, decimal_places=8)]


class MarginCall(AccountFault):
    """The venue warns of the account's positions."""

    kind: Literal["margin_call"]

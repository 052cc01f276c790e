"""A position that somebody else has opened, taken over by policy: with a stop, without targets, until the hold limit."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from libs.contracts.signals import WorkingType
from libs.trading.execution.client_ids import SIGNAL_LETTERS, letters_of
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import (
    Bracket,
    Direction,
    Fill,
    OurOrder,
    Rules,
    StateChange,
    Times,
    Trade,
)
from libs.trading.execution.exposure import OPENING
from libs.trading.execution.venue_facts import OpenConditional, PositionHeld, VenuePicture

LEAST_DISTANCE = Decimal("0.005")
"""Of the mark price: a nearer stop would be hit by the next breath of the market."""
LIQUIDATION_SHARE = Decimal("0.5")
"""The stop stands no further away than this share of the way to the liquidation."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What is to be taken over. `stop`: not on a tick yet. `existing`: a stop that closes the position already; then `stop` is
    its price, and nothing has to be placed."""

    symbol: str
    direction: Direction
    quantity: Decimal
    entry_price: Decimal
    stop: Decimal
    seen_ms: int
    existing: OpenConditional | None = None


def adoption_of(held: PositionHeld, risk: Decimal, seen: VenuePicture) -> Adoption:
    """Where the position is to be left: at the stop that closes it already, where there is one; else so far from the mark price
    that 1 R (`risk`, quote units) is lost from now on, but at least half a percent and at most half of the way to liquidation."""
    direction: Direction = "long" if held.amount > 0 else "short"
    existing = next((one for one in seen.conditionals if _closes(one, held)), None)
    stop = existing.seen.trigger if existing is not None else _stop(held, risk)
    return Adoption(held.symbol, direction, abs(held.amount), held.entry_price, stop, seen.positions_ms, existing)


def _closes(one: OpenConditional, held: PositionHeld) -> bool:
    against = "SELL" if held.amount > 0 else "BUY"
    return one.symbol == held.symbol and one.is_stop and one.seen.close_position and one.seen.side == against


def _stop(held: PositionHeld, risk: Decimal) -> Decimal:
    distance = max(risk / abs(held.amount), held.mark_price * LEAST_DISTANCE)
    if held.liquidation_price:
        distance = min(distance, abs(held.mark_price - held.liquidation_price) * LIQUIDATION_SHARE)
    distance = min(distance, held.mark_price * LIQUIDATION_SHARE)
    return held.mark_price - distance if held.amount > 0 else held.mark_price + distance


def adopted_trade(adoption: Adoption, account: tuple[str, str, str], rules: Rules, config: LiveConfig) -> Trade:
    """The document of what is taken over; `account`: its name, and the letters of account and installation.

    Its one entry fill is what the venue says of the position: the average price, without a fee. Its profit counts from there, and
    1 R is what the stop would lose of it. The stop is rounded towards the market, so that it loses no more. What triggers a stop
    that is there already triggers those after it too.
    """
    name, account_letters, installation_letters = account
    trade_id = f"adopted-{name}-{adoption.symbol}-{adoption.seen_ms}"
    is_long = adoption.direction == "long"
    rounding = ROUND_CEILING if is_long else ROUND_FLOOR
    stop = (adoption.stop / rules.tick).to_integral_value(rounding) * rules.tick
    hold_until_ms = adoption.seen_ms + config.hold_minutes * 60_000
    lost = (adoption.entry_price - stop) * (1 if is_long else -1) * adoption.quantity
    risk = max(lost, config.risk_of(adoption.symbol)) if lost <= 0 else lost
    working_type: WorkingType = "last" if adoption.existing is None else adoption.existing.seen.working_type
    return Trade(
        trade_id=trade_id,
        account=name,
        symbol=adoption.symbol,
        direction=adoption.direction,
        origin="adopted",
        state="open",
        signal_letters=letters_of(trade_id, SIGNAL_LETTERS),
        account_letters=account_letters,
        installation_letters=installation_letters,
        bracket=Bracket(
            stop=stop, take_profit_1=None, take_profit_2=None, hold_until_ms=hold_until_ms, working_type=working_type
        ),
        rules=rules,
        quantity=adoption.quantity,
        risk=risk,
        initial_risk=risk,
        orders=_orders(adoption),
        fills=(_opening(adoption),),
        times=Times(signal_ms=adoption.seen_ms, decided_ms=adoption.seen_ms, first_fill_ms=adoption.seen_ms),
        history=(StateChange("open", adoption.seen_ms, "adopted"),),
    )


def _orders(adoption: Adoption) -> tuple[OurOrder, ...]:
    if adoption.existing is None:
        return ()
    seen = adoption.existing.seen
    stop = OurOrder(
        client_id=seen.client_id,
        leg="stop",
        generation=0,
        side=seen.side,
        quantity=None,
        status="new",
        trigger=seen.trigger,
        working_type=seen.working_type,
        venue_id=seen.algo_id,
        intended_ms=seen.updated_ms,
        updated_ms=seen.updated_ms,
    )
    return (stop,)


def _opening(adoption: Adoption) -> Fill:
    return Fill(
        trade_id=OPENING - adoption.seen_ms,
        order_id=0,
        client_id="",
        by="person",
        leg="entry",
        side="BUY" if adoption.direction == "long" else "SELL",
        price=adoption.entry_price,
        quantity=adoption.quantity,
        fee=Decimal(0),
        fee_asset="",
        fee_quote=Decimal(0),
        realised=Decimal(0),
        is_maker=False,
        time_ms=adoption.seen_ms,
    )

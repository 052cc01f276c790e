"""From an admitted wish to a document with its entry: how much, by the backtester's rule of sizes, within the account's caps."""

from dataclasses import dataclass, replace
from decimal import Decimal

from libs.trading.execution.client_ids import (
    ACCOUNT_LETTERS,
    INSTALLATION_LETTERS,
    SIGNAL_LETTERS,
    OrderTag,
    letters_of,
)
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import ZERO, OurOrder, Side, StateChange, Times, Trade, Trailing
from libs.trading.execution.levels import on_ticks, rules_of, trailing_of
from libs.trading.execution.wish import EntryWish, Refusal, RefusalReason, refusal
from libs.trading.filters import SymbolFilters
from libs.trading.outcome import NotTakenReason
from libs.trading.sizing import NotSized, Stake, position_size

ASSUMED_MAINTENANCE = Decimal("0.025")
"""Share of the notional that a position must keep: more than the first tiers of large contracts ask for, to be careful."""
_REASONS: dict[NotTakenReason, RefusalReason] = {
    "stop_passed": "stop_passed",
    "below_minimum_quantity": "below_minimum",
    "below_minimum_notional": "below_minimum",
    "above_leverage": "over_margin",
}


@dataclass(frozen=True, slots=True)
class Naming:
    """Whose orders they are: account and installation by name; only their letters stand in client ids."""

    account: str
    installation: str


@dataclass(frozen=True, slots=True)
class EntryTerms:
    """What a size needs: the symbol's filters for market orders, the order venue's price, what may be used for new positions
    (quote units), and the fees of the account (shares of the notional)."""

    filters: SymbolFilters
    price: Decimal
    available: Decimal
    taker_fee: Decimal = Decimal("0.0005")
    maker_fee: Decimal = Decimal("0.0002")
    maintenance: Decimal = ASSUMED_MAINTENANCE


def entered(wish: EntryWish, config: LiveConfig, terms: EntryTerms, naming: Naming, now_ms: int) -> Trade | Refusal:
    """A trade that is being entered, its entry meant and not sent yet; or why there is none.

    quantity = risk / |price - stop|, down to a step: the backtester's rule, at the order venue's price. What the caps forbid is
    refused, not made smaller, so that 1 R means the same in every trade. The configured risk is such a cap: whoever may enter by
    hand and not change the configuration must not be able to stake more than it says.
    """
    bracket = on_ticks(wish.bracket, terms.filters)
    sign = 1 if wish.direction == "long" else -1
    if sign * (terms.price - bracket.stop) <= 0:
        return refusal("stop_passed", f"{terms.price} against {bracket.stop}")
    trailing = None if wish.trailing_distance is None else trailing_of(wish.trailing_distance, wish.price)
    if wish.trailing_distance is not None and trailing is None:
        return refusal("not_supported", f"a trailing distance of {wish.trailing_distance} at {wish.price}")
    most = config.risk_of(wish.symbol)
    risk = most if wish.risk is None else wish.risk
    if risk > most:
        return refusal("over_risk", f"{risk} of at most {most}, which an administrator may raise")
    quantity = _quantity(risk, terms, bracket.stop)
    if isinstance(quantity, Refusal):
        return quantity
    against = _over_caps(wish.symbol, config, terms, quantity) or _near_liquidation(
        config, terms, quantity, bracket.stop, config.leverage_of(wish.symbol)
    )
    if against is not None:
        return against
    return _document(replace(wish, bracket=bracket, risk=risk), trailing, terms, naming, Meant(quantity, now_ms))


@dataclass(frozen=True, slots=True)
class Meant:
    """What was decided, and when (ms, venue's clock)."""

    quantity: Decimal
    at_ms: int


def _quantity(risk: Decimal, terms: EntryTerms, stop: Decimal) -> Decimal | Refusal:
    try:
        sized = position_size(
            Stake(risk, terms.available), terms.price, stop, replace(terms.filters, max_leverage=None)
        )
    except ValueError as error:
        return refusal("not_supported", str(error))
    if isinstance(sized, NotSized):
        return refusal(_REASONS.get(sized.reason, "not_supported"), sized.why)
    return sized.quantity


def _over_caps(symbol: str, config: LiveConfig, terms: EntryTerms, quantity: Decimal) -> Refusal | None:
    notional = quantity * terms.price
    most = config.max_notional_of(symbol)
    if notional > most:
        return refusal("over_notional", f"{notional:.2f} of at most {most}")
    needed = notional / config.leverage_of(symbol) + notional * terms.taker_fee
    if needed > terms.available:
        return refusal("over_margin", f"{needed:.2f} needed, {terms.available:.2f} available")
    return None


def _near_liquidation(
    config: LiveConfig, terms: EntryTerms, quantity: Decimal, stop: Decimal, leverage: int
) -> Refusal | None:
    """The margin that a position may lose before the venue takes it, a unit of it, against the distance of its stop.

    In isolated margin that is the position's own, in cross margin all that is available: a lower bound of what stands behind it,
    as long as other positions lose nothing. Less what the venue wants kept (maintenance margin).
    """
    own = terms.price / leverage
    behind = own if config.margin_type_of(terms.filters.symbol) == "ISOLATED" else max(own, terms.available / quantity)
    distance = behind - terms.maintenance * terms.price
    wanted = config.min_liquidation_gap * abs(terms.price - stop)
    if distance < wanted:
        return refusal("near_liquidation", f"about {distance:.8g} away, {wanted:.8g} wanted")
    return None


def _document(wish: EntryWish, trailing: Trailing | None, terms: EntryTerms, naming: Naming, meant: Meant) -> Trade:
    letters = letters_of(wish.trade_id, SIGNAL_LETTERS)
    account, installation = (
        letters_of(naming.account, ACCOUNT_LETTERS),
        letters_of(naming.installation, INSTALLATION_LETTERS),
    )
    side: Side = "BUY" if wish.direction == "long" else "SELL"
    entry = OurOrder(
        client_id=OrderTag("executor", account, installation, letters, "entry", 0).client_id(),
        leg="entry",
        generation=0,
        side=side,
        quantity=meant.quantity,
        status="intended",
        intended_ms=meant.at_ms,
        updated_ms=meant.at_ms,
    )
    return Trade(
        trade_id=wish.trade_id,
        account=naming.account,
        symbol=wish.symbol,
        direction=wish.direction,
        origin=wish.origin,
        state="entering",
        strategy=wish.strategy,
        version=wish.version,
        signal_letters=letters,
        account_letters=account,
        installation_letters=installation,
        signal_price=wish.price,
        bracket=wish.bracket,
        trailing=trailing,
        rules=rules_of(terms.filters, terms.taker_fee, terms.maker_fee),
        quantity=meant.quantity,
        risk=wish.risk or ZERO,
        valid_until_ms=wish.valid_until_ms,
        orders=(entry,),
        times=Times(signal_ms=wish.signal_ms, decided_ms=meant.at_ms),
        history=(StateChange("entering", meant.at_ms),),
    )

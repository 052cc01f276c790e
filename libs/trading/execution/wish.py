"""What a signal or a person wants entered, and why it is not: all of it that needs no venue, so that paper mode has it too."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import msgspec

from libs.contracts.signals import SignalScored, TakeProfitType, WorkingType
from libs.trading.execution.config import LiveConfig
from libs.trading.execution.document import (
    Bracket,
    Direction,
    Origin,
    StateChange,
    Times,
    Trade,
)

RefusalReason = Literal[
    "paper_mode",
    "not_enabled",
    "not_supported",
    "expired",
    "not_ready",
    "risk_blocked",
    "guard_silent",
    "foreign",
    "locked",
    "position_open",
    "cooldown",
    "max_positions",
    "leverage_mismatch",
    "price_unknown",
    "price_gap",
    "stop_passed",
    "over_risk",
    "below_minimum",
    "over_notional",
    "over_margin",
    "near_liquidation",
    "cancelled",
]
REFUSALS: dict[RefusalReason, str] = {
    "paper_mode": "the executor trades nothing in paper mode; the paper trader does",
    "not_enabled": "its strategy or symbol is not one that this account may trade",
    "not_supported": "its bracket cannot be sent to the venue as it is meant",
    "expired": "it is older than a signal may be when it is entered",
    "not_ready": "the executor is not ready to open anything",
    "risk_blocked": "the risk guard allows no entries",
    "guard_silent": "the risk guard has said nothing for 10 s",
    "foreign": "there are orders or positions on the account that are not ours",
    "locked": "the symbol is locked",
    "position_open": "the symbol has a position, or is being entered, already",
    "cooldown": "the symbol's last trade ended too short a time ago",
    "max_positions": "as many positions are open, or being entered, as may be",
    "leverage_mismatch": "the symbol's leverage or margin type at the venue is not the configured one, and could not be set",
    "price_unknown": "the order venue's price is not known, or is too old",
    "price_gap": "the signal's price and the order venue's differ by more than is allowed",
    "stop_passed": "the price has reached the stop already",
    "over_risk": "more would be risked than is configured for a trade",
    "below_minimum": "the quantity for this risk is below what the venue accepts",
    "over_notional": "the position would be larger than is allowed",
    "over_margin": "the account has not enough margin for it",
    "near_liquidation": "the position would be liquidated too near its stop",
    "cancelled": "a person cancelled it",
}
"""Why a signal or a command was not entered, one sentence each."""

LONGEST_ID = 200
MOST_VERSION = 2**31 - 1
"""What the column of a strategy's version holds."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not entered. `why`: the reason's sentence, with figures where there are some."""

    reason: RefusalReason
    why: str


@dataclass(frozen=True, slots=True)
class EntryWish:
    """An entry that is wanted. `price`: what the bracket was made for. `risk`: 1 R, None: as configured, which is
    also the most. `trailing_distance`:
    quote units behind the best price since the first target, None without one."""

    trade_id: str
    origin: Origin
    symbol: str
    direction: Direction
    price: Decimal
    bracket: Bracket
    valid_until_ms: int
    strategy: str = ""
    version: int = 0
    signal_ms: int = 0
    risk: Decimal | None = None
    trailing_distance: Decimal | None = None


def refusal(reason: RefusalReason, detail: str = "") -> Refusal:
    """Why not, in the reason's sentence and what is special about this time."""
    return Refusal(reason, f"{REFUSALS[reason]}: {detail}" if detail else REFUSALS[reason])


def unusable(signal: SignalScored) -> str | None:
    """Why no book can hold what becomes of the signal, in words; None for every signal that an engine writes. Such a record is
    passed over: whoever ended at it would meet it again at the next start, with positions that nobody looks after meanwhile."""
    if not 0 < len(signal.event_id) <= LONGEST_ID or "|" in signal.event_id:
        return f"its id {signal.event_id[:LONGEST_ID]!r} is none"
    if not 0 <= signal.version <= MOST_VERSION:
        return f"its version {signal.version} is none"
    return None


def wish_of(signal: SignalScored, config: LiveConfig, now_ms: int) -> EntryWish | Refusal:
    """What an emitted signal wants, or why it may not; `now_ms` by the venue's clock.

    A signal is valid for the configured time from its evaluation on; it is held as long as it says, or as is configured,
    whichever is shorter.
    """
    if signal.strategy not in config.strategies:
        return refusal("not_enabled", f"strategy {signal.strategy}")
    if not config.may_trade(signal.symbol):
        return refusal("not_enabled", f"symbol {signal.symbol}")
    valid_until_ms = signal.event_time_ms + config.signal_valid_seconds * 1000
    if now_ms > valid_until_ms:
        return refusal("expired", f"{(now_ms - signal.event_time_ms) / 1000:.1f} s old")
    hold_until_ms = signal.event_time_ms + config.hold_minutes * 60_000
    bracket = bracket_of(signal, hold_until_ms)
    if bracket is None or signal.direction == "none":
        return refusal("not_supported", "it has no stop or no targets")
    return EntryWish(
        trade_id=signal.event_id,
        origin="signal",
        symbol=signal.symbol,
        direction=signal.direction,
        price=signal.price,
        bracket=bracket,
        valid_until_ms=valid_until_ms,
        strategy=signal.strategy,
        version=signal.version,
        signal_ms=signal.event_time_ms,
        trailing_distance=None if signal.trailing_distance is msgspec.UNSET else signal.trailing_distance,
    )


def bracket_of(signal: SignalScored, hold_until_ms: int) -> Bracket | None:
    """Where the signal is to be left, at `hold_until_ms` at the latest; None where it does not say."""
    if signal.stop_loss is None or signal.take_profit_1 is None or signal.take_profit_2 is None:
        return None
    until = hold_until_ms if signal.hold_until_ms is None else min(signal.hold_until_ms, hold_until_ms)
    kind: TakeProfitType = "market" if signal.take_profit_type == "market" else "limit"
    trigger: WorkingType = "mark" if signal.working_type == "mark" else "last"
    return Bracket(
        stop=signal.stop_loss,
        take_profit_1=signal.take_profit_1,
        take_profit_2=signal.take_profit_2,
        hold_until_ms=until,
        take_profit_type=kind,
        working_type=trigger,
    )


def refused(signal: SignalScored, account: str, why: Refusal, now_ms: int) -> Trade:
    """The document of a signal that is not entered: over from its beginning."""
    return Trade(
        trade_id=signal.event_id,
        account=account,
        symbol=signal.symbol,
        direction="short" if signal.direction == "short" else "long",
        origin="signal",
        state="refused",
        strategy=signal.strategy,
        version=signal.version,
        signal_price=signal.price,
        bracket=bracket_of(signal, signal.hold_until_ms or signal.event_time_ms),
        reason=why.reason,
        times=Times(signal_ms=signal.event_time_ms, decided_ms=now_ms),
        history=(StateChange("refused", now_ms, why.why),),
    )


def refused_wish(wish: EntryWish, account: str, why: Refusal, now_ms: int) -> Trade:
    """The document of a wish that is not entered."""
    return Trade(
        trade_id=wish.trade_id,
        account=account,
        symbol=wish.symbol,
        direction=wish.direction,
        origin=wish.origin,
        state="refused",
        strategy=wish.strategy,
        version=wish.version,
        signal_price=wish.price,
        bracket=wish.bracket,
        valid_until_ms=wish.valid_until_ms,
        reason=why.reason,
        times=Times(signal_ms=wish.signal_ms, decided_ms=now_ms),
        history=(StateChange("refused", now_ms, why.why),),
    )
